"""What the stand-in is told: a file with lines of NAME='value', so that no secret is in `ps`."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_LINE = re.compile(r"([A-Z_][A-Z0-9_]*)='(.*)'")
KINDS = ("unpaid", "cancel", "past_due")


@dataclass(frozen=True)
class Settings:
    """Where it listens, its key, whom it tells of events, and what follows the last retry."""

    address: str  # http://127.0.0.1:port
    api_key: str
    webhook_url: str  # empty: nobody is told
    webhook_secret: str
    clock_file: Path | None
    after_retries: str = "unpaid"

    @property
    def port(self) -> int:
        """The port of the address."""
        return urlsplit(self.address).port or 80


def read(path: Path) -> Settings:
    """Return the settings of a file. Raises OSError, or ValueError for what makes no sense."""
    lines = path.read_text().splitlines()
    told = {found[1]: found[2] for line in lines if (found := _LINE.fullmatch(line))}
    clock_file = told.get("NIGHTSAFE_CLOCK_FILE", "")
    after = told.get("STAND_IN_AFTER_RETRIES", KINDS[0])
    key, secret = told["NIGHTSAFE_STRIPE_API_KEY"], told["NIGHTSAFE_STRIPE_WEBHOOK_SECRET"]
    if after not in KINDS or not key.startswith("sk_test_"):
        raise ValueError(f"the key is no sk_test_ one, or {after} is none of {', '.join(KINDS)}")
    site = told.get("NIGHTSAFE_SITE_URL", "").rstrip("/")
    return Settings(
        address=told["NIGHTSAFE_STRIPE_API_BASE"].rstrip("/"),
        api_key=key,
        webhook_url=told.get("STAND_IN_WEBHOOK_URL", f"{site}/billing/webhook/" if site else ""),
        webhook_secret=secret,
        clock_file=Path(clock_file) if clock_file else None,
        after_retries=after,
    )
