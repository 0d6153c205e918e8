"""What concerns a person, such as their password, is on record in each of their accounts."""

from typing import Any

from django.db import transaction

from accounts.audit.actors import Actor
from accounts.audit.log import record
from accounts.models import Account, User

MOST_ACCOUNTS = 100


@transaction.atomic
def record_of_person(actor: Actor, verb: str, user: User, **detail: Any) -> None:
    """Add a row to the log of every account in which `user` has a seat, or to none's."""
    own = Account.objects.filter(memberships__user=user).order_by("pk")[:MOST_ACCOUNTS]
    accounts: list[Account | None] = [*own]
    for account in accounts or [None]:
        record(actor, verb, user.email, account=account, **detail)
