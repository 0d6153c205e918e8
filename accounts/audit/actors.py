"""Names whoever does something, with the address it came from."""

from dataclasses import dataclass

from django.utils.translation import gettext_noop

from accounts.models import AuditEvent, User

Kind = AuditEvent.Kind


@dataclass(frozen=True)
class Actor:
    """Who does something.

    `credential` is the readable prefix of what a program signed in with, `address` the network
    address that a request came from (`accounts.client_address`); both are empty where there is
    none.
    """

    label: str
    kind: Kind
    user: User | None = None
    credential: str = ""
    address: str | None = None

    @classmethod
    def person(cls, user: User, *, address: str | None = None) -> "Actor":
        """Return the actor for a signed-in person."""
        return cls(user.email, Kind.PERSON, user=user, address=address)

    @classmethod
    def staff(cls, user: User, *, address: str | None = None) -> "Actor":
        """Return the actor for one of the service's staff, at work on the staff pages."""
        return cls(user.email, Kind.STAFF, user=user, address=address)

    @classmethod
    def device_credential(cls, prefix: str, *, label: str, address: str | None = None) -> "Actor":
        """Return the actor for a program that uses a vault's credential."""
        return cls(label or prefix, Kind.CREDENTIAL, credential=prefix, address=address)

    @classmethod
    def api_token(
        cls, prefix: str, *, label: str, user: User | None = None, address: str | None = None
    ) -> "Actor":
        """Return the actor for a program that uses an API token; `user` made the token."""
        return cls(label or prefix, Kind.TOKEN, user=user, credential=prefix, address=address)


OPERATOR = Actor(gettext_noop("operator at the command line"), Kind.OPERATOR)
SERVICE = Actor(gettext_noop("the service itself"), Kind.SERVICE)
