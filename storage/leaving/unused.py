"""Finds accounts on the free plan that nobody has used for a year; tells of them and closes them.

Used is: somebody signs in, a computer's credential is used for whatever it may be (backing up,
restoring, asking), a program uses an API token, a backup comes. Any of these ends it.
"""

import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db.models import Exists, Max, OuterRef, Q, QuerySet

from accounts.audit import SERVICE
from accounts.closing import plan
from accounts.closing.actions import close
from accounts.closing.letters import UNUSED
from accounts.models import Account, ApiToken, Closing, Delivery, Membership, Notice
from accounts.notifications.notify import notify
from accounts.notifications.wording import iso
from backup_service import clock
from billing.models import Grant
from storage.models import Credential, Vault

log = logging.getLogger(__name__)
FIRST = plan.INACTIVE - plan.INACTIVE_NOTICES[0] * plan.DAY


def tend() -> None:
    """Do all that is due now. May be repeated, and may run twice at a time."""
    now = clock.now()
    for account in candidates(now):
        try:
            _tend_one(account, now)
        except Exception:  # one account never keeps the others from being looked at
            log.exception("an account that nobody uses could not be looked at")


def candidates(now: datetime) -> Iterator[Account]:
    """Yield free accounts that were not used for so long that they are to be told, or closed."""
    old = now - FIRST
    of_account = {"account": OuterRef("pk")}
    seats = Membership.objects.filter(**of_account)
    lately: tuple[QuerySet[Any], ...] = (
        seats.filter(Q(user__last_login__gt=old) | Q(user__date_joined__gt=old)),
        seats.filter(user__usersession__last_seen_at__gt=old),
        ApiToken.objects.filter(**of_account).filter(
            Q(last_used_at__gt=old) | Q(created_at__gt=old)
        ),
        Credential.objects.filter(vault__account=OuterRef("pk")).filter(
            Q(last_used_at__gt=old) | Q(created_at__gt=old)
        ),
        Vault.objects.filter(**of_account, last_snapshot_at__gt=old),
        Grant.objects.filter(**of_account, ends_at__gt=now),
    )
    unpaid_for = Q(subscription=None) | Q(
        subscription__plan__month_cents=0,
        subscription__plan__year_cents=0,
        subscription__stripe_subscription="",
    )
    found = Account.objects.filter(
        unpaid_for, Exists(seats), state=Account.State.ACTIVE, created_at__lte=old
    )
    for use in lately:
        found = found.exclude(Exists(use))
    yield from found.order_by("pk").iterator(chunk_size=200)


def last_used(account: Account) -> datetime:
    """Return when an account was last used, by anybody or anything."""
    seats = account.memberships.aggregate(
        signed_in=Max("user__last_login"),
        joined=Max("user__date_joined"),
        seen=Max("user__usersession__last_seen_at"),
    )
    credentials = Credential.objects.filter(vault__account=account)
    moments: tuple[datetime | None, ...] = (
        account.created_at,
        *seats.values(),
        *account.api_tokens.aggregate(Max("last_used_at"), Max("created_at")).values(),
        *credentials.aggregate(Max("last_used_at"), Max("created_at")).values(),
        *account.vaults.aggregate(Max("last_snapshot_at")).values(),
    )
    return max(moment for moment in moments if moment is not None)


def _tend_one(account: Account, now: datetime) -> None:
    used = last_used(account)
    keys = [f"unused:{used:%Y%m%dT%H%M%SZ}:{days}" for days in plan.INACTIVE_NOTICES]
    notices = Notice.objects.filter(account=account, key__in=keys).order_by("at", "pk")
    due = plan.unused(used, list(notices.values_list("at", flat=True)), now)
    if due.notice is not None:
        values: dict[str, Any] = {
            "since": iso(used),
            "closes": iso(due.closes_at),
        }
        notify(account, UNUSED, key=keys[due.notice], name=account.name, **values)
    elif due.closes and _was_told(account, keys):
        close(account, reason=Closing.Reason.INACTIVE, actor=SERVICE)


def _was_told(account: Account, keys: list[str]) -> bool:
    """Return whether a mail of it reached somebody's server; otherwise nothing is done."""
    sent = Delivery.objects.filter(
        notice__account=account, notice__key__in=keys, state=Delivery.State.SENT
    )
    if not sent.exists():
        log.error("nobody of an account that nobody uses could be told of it: nothing is done")
        return False
    return True
