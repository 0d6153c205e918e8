"""Gives an account more room or more time, for a while, by staff and with a reason."""

from datetime import timedelta

from django.db import transaction

from accounts import audit
from accounts.audit import Actor
from accounts.models import Account
from accounts.notifications.wording import iso
from backup_service import clock
from billing.actions import DEFAULT_PLAN
from billing.models import Grant, Plan, Subscription

ERASED = Account.State.ERASED
LONGEST_GRANT = 366  # days
LARGEST_GRANT = 10**15  # bytes
LONGEST_REASON = 200


class GrantError(ValueError):
    """A grant that cannot be made; the text says why."""


@transaction.atomic
def grant(
    account: Account,
    *,
    days: int,
    reason: str,
    actor: Actor,
    quota_bytes: int = 0,
    grace_days: int = 0,
) -> Grant:
    """Give an account more room for `days`, or put off what follows from not paying.

    Raises GrantError for a grant of nothing, of too much, without a reason, or to an account that
    is being erased.
    """
    reason = reason.strip()
    _check(days=days, reason=reason, quota_bytes=quota_bytes, grace_days=grace_days)
    _make_ready(account)
    now = clock.now()
    given = Grant.objects.create(
        account=account,
        quota_bytes=quota_bytes,
        grace_days=grace_days,
        starts_at=now,
        ends_at=now + timedelta(days=days),
        reason=reason,
        granted_by=actor.user,
        granted_label=actor.label,
    )
    audit.record(
        actor,
        "account.grant",
        account.public_id,
        account=account,
        quota_bytes=quota_bytes,
        grace_days=grace_days,
        days=days,
        until=iso(given.ends_at),
        reason=reason,
    )
    return given


def _make_ready(account: Account) -> None:
    """See to it that an account has a row of its plan. Raises GrantError for one that is erased.

    Whoever is on the free plan may have none, and by it people are told that the grant ended.
    """
    if Account.objects.select_for_update(no_key=True).get(pk=account.pk).state == ERASED:
        raise GrantError("This account is erased.")
    since = {"started_at": account.created_at, "plan_since": account.created_at}
    free = Plan.objects.get(slug=DEFAULT_PLAN)
    Subscription.objects.get_or_create(account=account, defaults={"plan": free, **since})


def _check(*, days: int, reason: str, quota_bytes: int, grace_days: int) -> None:
    if not 0 < days <= LONGEST_GRANT:
        raise GrantError(f"A grant lasts from 1 to {LONGEST_GRANT} days.")
    if not 0 <= quota_bytes <= LARGEST_GRANT:
        raise GrantError("A grant of room is between 0 B and 1 PB.")
    if not 0 <= grace_days <= LONGEST_GRANT:
        raise GrantError(f"Between 0 and {LONGEST_GRANT} days of grace can be granted.")
    if not quota_bytes and not grace_days:
        raise GrantError("Say what is granted: room, days of grace, or both.")
    if not 0 < len(reason) <= LONGEST_REASON:
        raise GrantError(f"Give a reason of at most {LONGEST_REASON} characters.")
