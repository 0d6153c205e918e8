"""Turns the environment into the settings of one embedded service."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from backup_service.embedded import datadir, ports
from backup_service.embedded.payments import Payments, choose_payments
from backup_service.embedded.regions import choose_stores, settings_of
from backup_service.embedded.stores import Store
from backup_service.env import BASE_DIR

# Settings that may be given at the start, and then hold for every process and manage.py.
_PASSED_ON = (
    "NIGHTSAFE_REGIONS",
    "NIGHTSAFE_REGION_PLACES",
    "NIGHTSAFE_STRIPE_API_KEY",
    "NIGHTSAFE_STRIPE_API_BASE",
    "NIGHTSAFE_STRIPE_WEBHOOK_SECRET",
    "NIGHTSAFE_STRIPE_TAX",
    "NIGHTSAFE_GATEWAY_UPLOADS",
    "NIGHTSAFE_LOG_LEVEL",
    "NIGHTSAFE_MAIL_FROM",
    "NIGHTSAFE_DEBUG",
)
# What a shell may hold for other programs, and would mislead our processes.
_DROPPED = ("DATABASE_URL", "GUNICORN_CMD_ARGS", "WEB_CONCURRENCY", "DJANGO_SETTINGS_MODULE")
_DROPPED_PREFIXES = ("NIGHTSAFE_", "CELERY_", "RESTIC_")


@dataclass(frozen=True)
class Configuration:
    """Where one embedded service lives and listens."""

    data_dir: Path
    port: int
    gateway_port: int
    gateway_moved_from: int | None
    broker_port: int
    broker_password: str
    passed_on: Mapping[str, str]
    stores: Mapping[str, Store] = field(default_factory=dict)
    moved_from: int | None = None  # where the website was before
    mail_token: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    payments: Payments | None = None  # None: payments go to Stripe itself
    clock_file: Path | None = None

    @property
    def site_url(self) -> str:
        """The website's address, without a slash at the end; a name, since passkeys want one."""
        return f"http://{ports.NAME}:{self.port}"

    @property
    def gateway_url(self) -> str:
        """The gateway's address, without a slash at the end."""
        return f"http://{ports.HOST}:{self.gateway_port}"

    @property
    def mails_url(self) -> str:
        """The address at which the service's mails are read, with the `mail_token`."""
        return f"{self.site_url}/mail/"

    def settings(self) -> dict[str, str]:
        """Return the content of `service.env`."""
        return {
            **self.passed_on,
            **settings_of(self.stores),
            **(self.payments.settings() if self.payments else {}),
            "NIGHTSAFE_CLOCK_FILE": str(self.clock_file or self.data_dir / "clock"),
            "PORT": str(self.port),
            "NIGHTSAFE_EMBEDDED": "1",
            "NIGHTSAFE_SITE_URL": self.site_url,
            "NIGHTSAFE_GATEWAY_URL": self.gateway_url,
            "NIGHTSAFE_MAIL_TOKEN": self.mail_token,
            "NIGHTSAFE_BROKER_URL": (
                f"redis://:{self.broker_password}@{ports.HOST}:{self.broker_port}/0"
            ),
        }

    def environment(self, role: str = "site") -> dict[str, str]:
        """Return the environment of a child; the rest it reads from `service.env`."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in _DROPPED and not name.startswith(_DROPPED_PREFIXES)
        }
        return kept | {
            "DATA_DIR": str(self.data_dir),
            "PORT": str(self.port),
            "NIGHTSAFE_ROLE": role,
            "PYTHONUNBUFFERED": "1",
        }


def choose(data_dir: Path, wishes: Mapping[str, str]) -> Configuration:
    """Settle ports and the broker's password, keeping those of the run before where possible.

    The data directory must be claimed. Raises LaunchError.
    """
    before = datadir.read_settings(data_dir)
    old_port, wish = _port_of(before.get("NIGHTSAFE_SITE_URL", "")), wishes.get("PORT") or "8000"
    port = ports.site_port(wish, before=old_port)
    old_gateway = _port_of(before.get("NIGHTSAFE_GATEWAY_URL", ""))
    gateway = ports.prefer([old_gateway or port + 1, port + 1], avoid=[port])
    broker = urlsplit(before.get("NIGHTSAFE_BROKER_URL", ""))
    broker_port = ports.prefer([_below(broker.port or 0)], avoid=[port, gateway])
    payments = choose_payments(wishes, before, avoid=[port, gateway, broker_port])
    taken = [port, gateway, broker_port, *([payments.port] if payments else [])]
    clock_file = wishes.get("NIGHTSAFE_CLOCK_FILE")
    return Configuration(
        data_dir=data_dir,
        port=port,
        gateway_port=gateway,
        gateway_moved_from=old_gateway if old_gateway not in (None, gateway) else None,
        broker_port=broker_port,
        broker_password=broker.password or secrets.token_urlsafe(32),
        passed_on={name: value for name, value in wishes.items() if value and _goes_on(name)},
        moved_from=old_port if wish == "0" and old_port not in (None, port) else None,
        stores=choose_stores(data_dir, wishes, before, avoid=taken),
        payments=payments,
        clock_file=Path(clock_file) if clock_file else None,
        mail_token=before.get("NIGHTSAFE_MAIL_TOKEN") or secrets.token_urlsafe(16),
    )


def data_directory(wishes: Mapping[str, str]) -> Path:
    """Return the data directory that is asked for (absolute)."""
    return Path(wishes.get("DATA_DIR") or BASE_DIR / "data").expanduser().absolute()


def _goes_on(name: str) -> bool:
    return name in _PASSED_ON or name.startswith("NIGHTSAFE_REGION_")


def _below(port: int) -> int:
    """Return a port that was chosen before, or 0 if outgoing connections may sit on it."""
    first, last = ports.outgoing()
    return 0 if first <= port <= last else port


def _port_of(url: str) -> int | None:
    return urlsplit(url).port
