"""Records that an account's people are to be told something."""

import logging
from typing import Any

from django.db import IntegrityError, transaction

from accounts.models import Account, Delivery, Device, Endpoint, Membership, Notice
from accounts.notifications import preferences
from accounts.notifications.registry import Kind, kind_of
from accounts.topics import Topic

log = logging.getLogger(__name__)
MAX_WAITING = 500  # deliveries of an account


@transaction.atomic
def notify(
    account: Account, kind: str, *, key: str, device: Device | None = None, **values: Any
) -> Notice | None:
    """Tell an account's people something, once for each key; return None if they were told.

    `values` are kept as JSON and must never hold a secret. `device` is the computer that it is
    about, so that members who see only their own are told of those alone. Whoever wants mail of
    the kind's topic gets one, and so does each endpoint that wants it. Nothing is sent here.
    """
    about = kind_of(kind)
    notice = _record(account, kind, key, values, device)
    if notice is None:
        return None
    members = [
        Delivery(notice=notice, account=account, membership=seat, address=seat.user.email)
        for seat in preferences.readers(account, about.topic, device)
    ]
    in_use = Endpoint.objects.filter(account=account, removed_at=None).order_by("pk")
    systems = [
        Delivery(notice=notice, account=account, endpoint=endpoint)
        for endpoint in in_use
        if endpoint.wants(about.topic)
    ]
    _queue(account, about, [*members, *systems])
    return notice


def _queue(account: Account, about: Kind, deliveries: list[Delivery]) -> None:
    """Put deliveries on the list, as long as the account has room there.

    What is about security has as much room again, so that nothing else can push it out.
    """
    most = 2 * MAX_WAITING if about.topic is Topic.SECURITY else MAX_WAITING
    room = max(0, most - Delivery.objects.waiting().filter(account=account).count())
    if len(deliveries) > room:
        log.error(
            "account %s has no room for %d deliveries of a notice of kind %s; its page shows it",
            account.public_id,
            len(deliveries) - room,
            about.slug,
        )
    Delivery.objects.bulk_create(deliveries[:room])


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


def _record(
    account: Account, kind: str, key: str, values: dict[str, Any], device: Device | None = None
) -> Notice | None:
    try:
        with transaction.atomic():
            return Notice.objects.create(
                account=account, kind=kind, key=key, values=values, device=device
            )
    except IntegrityError:
        if Notice.objects.filter(account=account, key=key).exists():
            return None
        raise
