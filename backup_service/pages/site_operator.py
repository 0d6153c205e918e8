"""Who runs this service, as far as they said so in the environment."""

from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest


@dataclass(frozen=True)
class Operator:
    """What terms, privacy page, security.txt and footer say. Empty: nobody has said it."""

    name: str = ""
    address: str = ""
    law: str = ""  # as in "the law of Germany"
    contact: str = ""  # an e-mail address for customers
    security_contact: str = ""  # an address as in security.txt: mailto: or https:
    source: str = ""  # where this service's own source code is

    @property
    def has_signed(self) -> bool:
        """Whether terms and privacy page can name somebody who stands behind them."""
        return all((self.name, self.address, self.law, self.contact))


def operator() -> Operator:
    """Return what the environment says."""
    return Operator(**settings.OPERATOR)


def context(request: HttpRequest) -> dict[str, Any]:
    """Tell every page who runs the service."""
    return {"operator": operator()}


def missing() -> list[str]:
    """Return the names of what terms and privacy page still need."""
    given = asdict(operator())
    names = {"name": "NAME", "address": "ADDRESS", "law": "LAW", "contact": "CONTACT"}
    return [f"NIGHTSAFE_OPERATOR_{name}" for field, name in names.items() if not given[field]]
