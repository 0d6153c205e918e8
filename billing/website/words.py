"""An account's state in sentences: what it is, what happens when, and what to do."""

from datetime import datetime

from accounts.closing.plan import COOLING_OFF
from billing.state import AccountState, State


def sentence(found: AccountState) -> str:
    """Return in one sentence how an account stands."""
    row = found.subscription
    match found.state:
        case State.CLOSED:
            return "This account is closed. Its page in the settings says what follows."
        case State.FROZEN | State.ENDED | State.RESTORE_ONLY | State.READ_ONLY | State.OVER_CAP:
            return found.allowed.reason
        case State.GRACE:
            return (
                "A payment did not work. It is tried again by itself, and until "
                f"{_day(found.read_only_from)} nothing changes."
            )
        case State.NORMAL if row and row.cancels_at_period_end:
            return (
                f"Your plan {found.plan.name} is cancelled and ends on {_day(row.period_ends_at)}. "
                "From then on your account is on the free plan."
            )
        case State.NORMAL if row and row.scheduled_plan:
            return (
                f"All is paid. On {_day(row.period_ends_at)} your plan changes to "
                f"{row.scheduled_plan.name}."
            )
        case State.NORMAL if row and row.is_paid_for:
            return "All is paid, and backups and restores work."
        case _:
            return "Backups and restores work, and nothing is to be paid."


def next_steps(found: AccountState) -> list[tuple[datetime, str]]:
    """Return what happens when, as long as something is owed."""
    planned = [
        (found.read_only_from, "New backups are paused. Restoring and removing go on."),
        (
            found.restore_only_from,
            "Nothing can be removed either. The day on which the account is closed is announced, "
            "at least 31 days ahead.",
        ),
        (found.restores_end, "Restores end."),
        (found.deletion_due, "The account is closed."),
        (
            found.deletion_due + COOLING_OFF if found.deletion_due else None,
            "The account is erased: all that is stored in it is destroyed, in all places.",
        ),
    ]
    return [(moment, text) for moment, text in planned if moment is not None]


def _day(moment: datetime | None) -> str:
    return f"{moment:%-d %B %Y}" if moment else "a day that is not known yet"
