"""What people are told about accounts that are closed, in words."""

from django.conf import settings

from accounts.closing.actions import CLOSED, REOPENED
from accounts.models import Closing
from accounts.notifications.letter import Letter, Link
from accounts.notifications.registry import Values, register
from accounts.topics import Topic

REMINDER, ERASED, UNUSED = "account-closing", "account-erased", "account-unused"
GONE = (
    "all that its vaults hold is destroyed, in all places, with the keys first, and so is what we "
    "know of its people. That cannot be undone."
)


@register(CLOSED, Topic.SECURITY)
def closed(values: Values) -> Letter:
    """Say that an account was closed, and what follows."""
    return Letter(
        f"The account “{values['name']}” is closed, and is erased after {values['until']}",
        [
            f"The account “{values['name']}” was closed: {values['why']}.",
            f"Nothing new is stored. {_restoring(values)} {_paying(values)}",
            f"After {values['until']} {GONE}",
            f"{_opening(values)} You hear from us again 7 days and 1 day before.",
        ],
        link=_page(),
        is_urgent=True,
    )


@register(REMINDER, Topic.SECURITY)
def reminder(values: Values) -> Letter:
    """Repeat that an account will be erased."""
    days = values["days"]
    within = f"in {days} days" if days > 1 else "tomorrow"
    return Letter(
        f"The account “{values['name']}” is erased {within}",
        [
            f"The account “{values['name']}” is closed. After {values['until']} {GONE}",
            f"{_restoring(values)} {_opening(values)}",
        ],
        link=_page(),
        is_urgent=True,
    )


@register(REOPENED, Topic.SECURITY)
def reopened(values: Values) -> Letter:
    """Say that an account is open again."""
    return Letter(
        f"The account “{values['name']}” is open again",
        [
            f"The account “{values['name']}” was opened again, and nothing of it is erased.",
            "If it was on a paid plan, that has ended: choose one on the page Billing. Where more "
            "is stored than the free plan has room for, new backups are paused until then.",
        ],
        link=Link("Open the page Billing", f"{settings.SITE_URL}/billing/"),
    )


@register(ERASED, Topic.SECURITY)
def erased(values: Values) -> Letter:
    """Say that an account is gone. It is the last mail."""
    return Letter(
        f"The account “{values['name']}” is erased",
        [
            f"What the vaults of “{values['name']}” held is destroyed, and so are their keys. "
            "Names, addresses and sign-ins are erased next, of whoever is in no other account.",
            "A copy in a place that is out of use at present goes when that place is back; without "
            "the keys nobody can read it.",
            "This is the last mail about this account. Invoices stay with our payment service for "
            "as long as the law wants.",
        ],
    )


@register(UNUSED, Topic.SECURITY)
def unused(values: Values) -> Letter:
    """Say that an account that nobody uses will be closed."""
    return Letter(
        f"The account “{values['name']}” is closed on {values['closes']} unless it is used",
        [
            f"Nobody has used the account “{values['name']}” since {values['since']}: no "
            "sign-in, no backup, no restore, no program.",
            f"It is on the free plan, so it is closed on {values['closes']}, and erased 30 days "
            "later with all that is stored in it.",
            "To keep it, sign in once, or let a computer back up.",
        ],
        link=Link("Sign in", f"{settings.SITE_URL}/accounts/login/"),
        is_urgent=True,
    )


def _restoring(values: Values) -> str:
    if values["reason"] == Closing.Reason.UNPAID:
        return "Restores have ended, and work again once it is paid."
    return "Until then your files can be restored."


def _paying(values: Values) -> str:
    if values["reason"] == Closing.Reason.UNPAID:
        return ""
    return "A paid plan ends at once, and there is no further charge."


def _opening(values: Values) -> str:
    if values["reason"] == Closing.Reason.UNPAID:
        return "Whoever settles it on the page Billing before that keeps everything."
    return "An owner can open it again until then, in the settings."


def _page() -> Link:
    return Link("Open the page", f"{settings.SITE_URL}/settings/close/")
