"""The audit log: who did what, when. Called inside the transaction that does it."""

from dataclasses import dataclass
from typing import Any

from accounts.models import Account, AuditEvent, User


@dataclass(frozen=True)
class Actor:
    """Who does something: a signed-in person, or a named part of the service."""

    label: str
    user: User | None = None

    @classmethod
    def person(cls, user: User) -> "Actor":
        """Return the actor for a signed-in person."""
        return cls(label=user.email, user=user)


OPERATOR = Actor(label="operator at the command line")
SERVICE = Actor(label="the service itself")


def record(
    actor: Actor, verb: str, subject: str, *, account: Account | None = None, **detail: Any
) -> AuditEvent:
    """Add one row. `detail` is stored as JSON and must never hold a secret."""
    return AuditEvent.objects.create(
        account=account,
        actor=actor.user,
        actor_label=actor.label,
        verb=verb,
        subject=subject,
        detail=detail,
    )
