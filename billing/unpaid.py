"""Acts on what `dunning` says: tells, announces the deletion, closes what was announced.

Nothing of a customer's is removed here. Closing an account freezes it; 30 days later it is erased,
as any closed account (`accounts/closing/plan.py`).
"""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q

from accounts import audit
from accounts.audit import SERVICE
from accounts.closing.actions import close
from accounts.closing.plan import COOLING_OFF
from accounts.models import Account, Closing, Delivery
from accounts.notifications.notify import notify
from accounts.notifications.wording import iso
from backup_service import clock
from billing.actions import standing_of
from billing.dunning import (
    OVER_CAP_NOTICE,
    Debt,
    Notice,
    NoticeKind,
    Step,
    notices_of,
    over_cap_notices,
)
from billing.models import Grant, Subscription

log = logging.getLogger(__name__)


def tend(*, account: int | None = None) -> None:
    """Do all that is due now, for one account or for all.

    May be repeated, and may run twice at a time.
    """
    now = clock.now()
    for row in _rows(now, account):
        try:
            _tend_one(row, now)
        except Exception:  # one account never keeps the others from being told
            log.exception("payments of an account could not be tended")


def due_notices(row: Subscription, now: datetime) -> list[Notice]:
    """Return what an account has to have been told by now about money and room."""
    standing = standing_of(row.account, row, now, with_held=True)
    debt = standing.debt(now)
    due = notices_of(debt, now, announced_at=row.deletion_announced_at) if debt else []
    if (since := over_cap_since(row, now)) is not None:
        due += over_cap_notices(since, now)
    return due


def over_cap_since(row: Subscription, now: datetime) -> datetime | None:
    """Return since when an account's quota is smaller than what it holds; None if it is not.

    That is when the plan became smaller, or a grant ended, whichever was last.
    """
    standing = standing_of(row.account, row, now, with_held=True)
    extra = sum(one.quota for one in standing.extras)
    quota = row.plan.quota_bytes + extra
    if standing.held is None or standing.held.charged(quota) <= quota:
        return None
    ended = Grant.objects.filter(account=row.account_id, ends_at__lte=now, quota_bytes__gt=0)
    last = ended.order_by("-ends_at").values_list("ends_at", flat=True).first()
    return max(row.plan_since, last) if last else row.plan_since


def _rows(now: datetime, account: int | None) -> Iterator[Subscription]:
    """Yield whoever owes, or may have become too large for a quota that became smaller."""
    lately = now - OVER_CAP_NOTICE - timedelta(days=1)
    shrunk = Q(plan_since__gte=lately) | Q(
        account__in=Grant.objects.filter(ends_at__range=(lately, now)).values("account")
    )
    found = Subscription.objects.filter(Q(unpaid_since__isnull=False) | shrunk)
    found = found.exclude(account__state__in=Account.CLOSED)
    found = found if account is None else found.filter(account=account)
    rows = found.select_related("account__usage", "plan", "account").order_by("pk")
    yield from rows.iterator(chunk_size=200)


def _tend_one(row: Subscription, now: datetime) -> None:
    debt = standing_of(row.account, row, now).debt(now)
    if debt is not None and row.deletion_announced_at and debt.step(now) < Step.RESTORE_ONLY:
        _take_back(row)
    for notice in due_notices(row, now):
        _tell(row, notice, debt, now)
    if debt is not None:
        _close_if_due(row, debt, now)


def _take_back(row: Subscription) -> None:
    """Forget that the deletion was announced: days were granted, or an older debt was paid.

    When it comes as far again, it is announced anew, 31 days ahead, whatever was said before.
    """
    announced = Subscription.objects.filter(
        pk=row.pk, deletion_announced_at=row.deletion_announced_at
    )
    announced.update(deletion_announced_at=None)
    row.deletion_announced_at = None


@transaction.atomic
def _tell(row: Subscription, notice: Notice, debt: Debt | None, now: datetime) -> None:
    values: dict[str, Any] = {"plan": row.plan.name}
    key = notice.key
    if debt is not None:
        values |= {
            "read_only": iso(debt.begins(Step.READ_ONLY)),
            "restore_only": iso(debt.begins(Step.RESTORE_ONLY)),
            "restores_end": iso(debt.begins(Step.ENDED)),
            **_deletion(debt, row.deletion_announced_at or now),
        }
    if notice.kind is NoticeKind.DELETION_ANNOUNCED and debt is not None:
        first = Subscription.objects.filter(
            pk=row.pk, unpaid_since=debt.since, deletion_announced_at=None
        ).update(deletion_announced_at=now)
        if not first:
            return
        account = row.account
        audit.record(SERVICE, "deletion.announce", account.public_id, account=account, **values)
        # Told once by the row; by its own moment, for it may be announced for one debt again.
        key = f"{notice.kind}:{now:%Y%m%dT%H%M%SZ}"
    notify(row.account, notice.kind.value, key=key, **values)


def _deletion(debt: Debt, announced_at: datetime) -> dict[str, str]:
    """Return when the account is closed, and when it is erased, if it was announced then."""
    due = debt.deletion_due(announced_at)
    if due is None:
        return {}
    return {"deletion": iso(due), "erasure": iso(due + COOLING_OFF)}


def _close_if_due(row: Subscription, debt: Debt, now: datetime) -> None:
    announced = row.deletion_announced_at
    due = debt.deletion_due(announced)
    if announced is None or due is None or now < due:
        return
    told = Delivery.objects.filter(
        notice__account=row.account_id,
        notice__kind=NoticeKind.DELETION_ANNOUNCED.value,
        notice__at__gte=announced - timedelta(minutes=5),
        state=Delivery.State.SENT,
    )
    if not told.exists():
        log.error("an account's deletion is due, and nobody could be told of it: nothing is done")
        return
    _close(row, debt)


@transaction.atomic
def _close(row: Subscription, debt: Debt) -> None:
    still = Subscription.objects.select_for_update(no_key=True).filter(
        pk=row.pk, unpaid_since=debt.since, deletion_announced_at=row.deletion_announced_at
    )
    if not still.exists():  # paid meanwhile
        return
    if not Account.objects.get(pk=row.account_id).is_closed:
        close(row.account, reason=Closing.Reason.UNPAID, actor=SERVICE)
