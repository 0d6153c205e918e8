"""Tells accounts that their plan fills up: at 80, 95 and 100 per cent, once each time."""

from django.core.cache import cache
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce

from accounts.models import Account
from accounts.notifications.notify import notify
from backup_service import clock
from billing.actions import entitlements_of
from storage.models import QuotaNotice, Usage
from storage.notices import letters, schedule
from storage.notices.each import each

BATCH = 500  # accounts looked at in one run
_CURSOR = "plan-room-cursor"


def tell_next() -> None:
    """Look at the next accounts, in turn; where the turn is may be forgotten."""
    after = cache.get(_CURSOR, 0)
    cache.set(_CURSOR, tell_due(after=after) or 0, None)


def tell_due(*, after: int = 0) -> int | None:
    """Look at some accounts that may be fuller, or emptier, than they were told.

    Returns from where to go on, or None at the end.
    """
    plan = Coalesce(F("account__subscription__plan__quota_bytes"), 0)
    used = F("live_bytes") + F("reserved_bytes") + F("tombstoned_bytes")
    candidates = (
        Usage.objects.filter(pk__gt=after)
        .annotate(plan=plan, used=used)
        .filter(Q(used__gte=F("plan") * 3 / 4) | Q(account__quota_notice__isnull=False), used__gt=0)
        .exclude(account__state__in=Account.CLOSED)
        .select_related("account")
        .order_by("pk")[:BATCH]
    )
    found = list(candidates)
    each(found, _look, "nobody could be told how full a plan is")
    return found[-1].pk if len(found) == BATCH else None


@transaction.atomic
def _look(usage: Usage) -> None:
    account, limit = usage.account, entitlements_of(usage.account).quota
    charged = usage.charged(limit)
    row = QuotaNotice.objects.filter(account=account).first()
    told = row.level if row else 0
    level = schedule.level_of(charged, limit)
    if level > told:
        _tell(account, level=level, charged=charged, limit=limit)
    kept = max(level, schedule.kept_level(told, charged, limit))
    if row is None and kept:
        QuotaNotice.objects.get_or_create(
            account=account, defaults={"level": kept, "told_at": clock.now()}
        )
    elif row is not None and kept != told:
        QuotaNotice.objects.filter(pk=row.pk, level=told).update(level=kept, told_at=clock.now())


def _tell(account: Account, *, level: int, charged: int, limit: int) -> None:
    notify(
        account,
        letters.QUOTA,
        key=f"plan-full:{level}:{clock.now():%Y%m%d%H}",
        level=level,
        used=charged,
        quota=limit,
    )
