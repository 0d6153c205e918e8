"""Tells people of vaults whose backups do not come: at once, then every week; and of new ones."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet

from accounts.models import Account
from accounts.notifications.notify import notify
from accounts.notifications.wording import iso
from backup_service import clock
from storage.models import LateNotice, Vault
from storage.notices import letters, schedule
from storage.notices.each import each
from storage.vaults.expectations import expected

BATCH = 200  # vaults in one run
NEW_FOR = timedelta(days=3)  # after which a vault that holds nothing is spoken of


def tell_due() -> int:
    """Have people told of some vaults that are late; return how many. Call again while any are."""
    now = clock.now()
    late = list(_late(now).order_by("late_from", "pk")[:BATCH])
    never = list(_never(now).order_by("pk")[: BATCH - len(late)])
    complaint = "nobody could be told of a vault whose backups do not come"
    return each([*late, *never], lambda vault: _tell(vault, now), complaint)


def _expected() -> QuerySet[Vault]:
    """Return vaults of which backups are expected."""
    open_ones = Vault.objects.filter(closed_at=None, deletion_asked_at=None)
    return (
        expected(open_ones)
        .exclude(account__state__in=Account.CLOSED)
        .select_related("account", "device", "late_notice")
    )


def _late(now: datetime) -> QuerySet[Vault]:
    untold = Q(late_notice=None) | Q(late_notice__since__lt=F("late_from"))
    again = Q(late_notice__told_at__lte=now - schedule.REMIND)
    return _expected().filter(
        untold | again, late_from__lte=now, late_from__gt=now - schedule.GIVE_UP
    )


def _never(now: datetime) -> QuerySet[Vault]:
    return _expected().filter(
        last_snapshot_at=None,
        late_notice=None,
        created_at__lte=now - NEW_FOR,
        created_at__gt=now - schedule.GIVE_UP,
    )


@transaction.atomic
def _tell(vault: Vault, now: datetime) -> int:
    """Tell of one vault, as long as nobody else did meanwhile; return how many were told of."""
    row = LateNotice.objects.select_for_update(no_key=True).filter(vault=vault).first()
    since = vault.late_from or vault.created_at
    told_at = row.told_at if row else None
    if not schedule.is_reminder_due(since=since, told_at=told_at, now=now):
        return 0
    count = row.count + 1 if row is not None and row.since == since else 1
    LateNotice.objects.update_or_create(
        vault=vault, defaults={"since": since, "told_at": now, "count": count}
    )
    about: dict[str, Any] = {"vault": vault.public_id, "name": vault.name, "device": vault.device}
    key = f"late:{vault.public_id}:{since:%Y%m%d%H%M%S}:{count}"
    if vault.last_snapshot_at is None:
        notify(vault.account, letters.NEVER, key=key, added=iso(vault.created_at), **about)
        return 1
    notify(
        vault.account,
        letters.LATE,
        key=key,
        count=count,
        last=iso(vault.last_snapshot_at),
        expected=iso(since),
        **about,
    )
    return 1
