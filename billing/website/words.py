"""An account's state in sentences: what it is, what happens when, and what to do."""

from datetime import datetime

from django.utils.translation import gettext

from accounts.closing.plan import COOLING_OFF
from accounts.templatetags.amounts import day
from billing.state import AccountState, State


def sentence(found: AccountState) -> str:
    """Return in one sentence how an account stands."""
    row = found.subscription
    match found.state:
        case State.CLOSED:
            return gettext("This account is closed. Its page in the settings says what follows.")
        case State.FROZEN | State.ENDED | State.RESTORE_ONLY | State.READ_ONLY | State.OVER_CAP:
            return gettext(found.allowed.reason)
        case State.GRACE:
            return gettext(
                "A payment did not work. It is tried again by itself, and until "
                "%(read_only_from)s nothing changes."
            ) % {"read_only_from": _day(found.read_only_from)}
        case State.NORMAL if row and row.cancels_at_period_end:
            return gettext(
                "Your plan %(plan_name)s is cancelled and ends on %(period_ends_at)s. From "
                "then on your account is on the free plan."
            ) % {"plan_name": found.plan.name, "period_ends_at": _day(row.period_ends_at)}
        case State.NORMAL if row and row.scheduled_plan:
            return gettext(
                "All is paid. On %(period_ends_at)s your plan changes to %(scheduled_plan_name)s."
            ) % {
                "period_ends_at": _day(row.period_ends_at),
                "scheduled_plan_name": row.scheduled_plan.name,
            }
        case State.NORMAL if row and row.is_paid_for:
            return gettext("All is paid, and backups and restores work.")
        case _:
            return gettext("Backups and restores work, and nothing is to be paid.")


def next_steps(found: AccountState) -> list[tuple[datetime, str]]:
    """Return what happens when, as long as something is owed."""
    planned = [
        (found.read_only_from, gettext("New backups are paused. Restoring and removing go on.")),
        (
            found.restore_only_from,
            gettext(
                "Nothing can be removed either. The day on which the account is closed is "
                "announced, at least 31 days ahead."
            ),
        ),
        (found.restores_end, gettext("Restores end.")),
        (found.deletion_due, gettext("The account is closed.")),
        (
            found.deletion_due + COOLING_OFF if found.deletion_due else None,
            gettext("The account is erased: all that is stored in it is destroyed, in all places."),
        ),
    ]
    return [(moment, text) for moment, text in planned if moment is not None]


def _day(moment: datetime | None) -> str:
    return day(moment) if moment else gettext("a day that is not known yet")
