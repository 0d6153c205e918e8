"""Records that an account's people are to be told something."""

from typing import Any

from django.db import IntegrityError, transaction

from accounts.models import Account, Delivery, Endpoint, Membership, Notice
from accounts.notifications import preferences
from accounts.notifications.registry import kind_of

MAX_WAITING = 500  # deliveries of an account


@transaction.atomic
def notify(account: Account, kind: str, *, key: str, **values: Any) -> Notice | None:
    """Tell an account's people something, once for each key; return None if they were told.

    `values` are kept as JSON and must never hold a secret. Whoever wants mail of the kind's topic
    gets one, and so does each endpoint that wants it. Nothing is sent here.
    """
    about = kind_of(kind)
    notice = _record(account, kind, key, values)
    if notice is None:
        return None
    room = MAX_WAITING - Delivery.objects.waiting().filter(account=account).count()
    members = [
        Delivery(notice=notice, account=account, membership=seat, address=seat.user.email)
        for seat in preferences.readers(account, about.topic)
    ]
    in_use = Endpoint.objects.filter(account=account, removed_at=None).order_by("pk")
    systems = [
        Delivery(notice=notice, account=account, endpoint=endpoint)
        for endpoint in in_use
        if endpoint.wants(about.topic)
    ]
    Delivery.objects.bulk_create([*members, *systems][: max(0, room)])
    return notice


@transaction.atomic
def notify_one(member: Membership, kind: str, *, key: str, **values: Any) -> Notice | None:
    """Tell one member something by mail, once for each key; return None if it was told."""
    kind_of(kind)
    notice = _record(member.account, kind, key, values)
    if notice is not None:
        Delivery.objects.create(
            notice=notice,
            account=member.account,
            membership=member,
            address=member.user.email,
        )
    return notice


def _record(account: Account, kind: str, key: str, values: dict[str, Any]) -> Notice | None:
    try:
        with transaction.atomic():
            return Notice.objects.create(account=account, kind=kind, key=key, values=values)
    except IntegrityError:
        if Notice.objects.filter(account=account, key=key).exists():
            return None
        raise
