"""The stand-in for the payment service: its port and keys, kept from run to run."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from backup_service.embedded import ports

_OURS = "sk_test_standin_"


@dataclass(frozen=True)
class Payments:
    """Where the stand-in listens, and the keys by which it and the service know each other."""

    port: int
    api_key: str
    webhook_secret: str

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://{ports.HOST}:{self.port}"

    def settings(self) -> dict[str, str]:
        """Return what `service.env` says of it."""
        return {
            "NIGHTSAFE_STRIPE_API_BASE": self.url,
            "NIGHTSAFE_STRIPE_API_KEY": self.api_key,
            "NIGHTSAFE_STRIPE_WEBHOOK_SECRET": self.webhook_secret,
        }


def choose_payments(
    wishes: Mapping[str, str], before: Mapping[str, str], *, avoid: Iterable[int]
) -> Payments | None:
    """Return the stand-in of this run; None if the environment has a key of Stripe's own."""
    if wishes.get("NIGHTSAFE_STRIPE_API_KEY"):
        return None
    old = before if before.get("NIGHTSAFE_STRIPE_API_KEY", "").startswith(_OURS) else {}
    port = urlsplit(old.get("NIGHTSAFE_STRIPE_API_BASE", "")).port or 0
    first, last = ports.outgoing()
    return Payments(
        port=ports.prefer([0 if first <= port <= last else port], avoid=avoid),
        api_key=old.get("NIGHTSAFE_STRIPE_API_KEY") or _OURS + secrets.token_hex(16),
        webhook_secret=old.get("NIGHTSAFE_STRIPE_WEBHOOK_SECRET")
        or f"whsec_{secrets.token_hex(24)}",
    )
