"""What people are told about accounts that are closed, in words."""

from django.conf import settings
from django.utils.translation import gettext, gettext_noop

from accounts.closing.actions import CLOSED, REOPENED
from accounts.models import Closing
from accounts.notifications.letter import Letter, Link
from accounts.notifications.registry import Values, register
from accounts.notifications.wording import day_of
from accounts.topics import Topic

REMINDER, ERASED, UNUSED = "account-closing", "account-erased", "account-unused"
GONE = gettext_noop(
    "all that its vaults hold is destroyed, in all places, with the keys first, and so is what we "
    "know of its people. That cannot be undone."
)


@register(CLOSED, Topic.SECURITY)
def closed(values: Values) -> Letter:
    """Say that an account was closed, and what follows."""
    return Letter(
        gettext("The account “%(name)s” is closed, and is erased after %(until)s")
        % {"name": values["name"], "until": day_of(values["until"])},
        [
            gettext("The account “%(name)s” was closed (%(why)s).")
            % {"name": values["name"], "why": gettext(values["why"])},
            gettext("Nothing new is stored. %(restoring)s %(paying)s")
            % {"restoring": _restoring(values), "paying": _paying(values)},
            gettext("After %(until)s %(gone)s")
            % {"until": day_of(values["until"]), "gone": gettext(GONE)},
            gettext("%(opening)s You hear from us again 7 days and 1 day before.")
            % {"opening": _opening(values)},
        ],
        link=_page(),
        is_urgent=True,
    )


@register(REMINDER, Topic.SECURITY)
def reminder(values: Values) -> Letter:
    """Repeat that an account will be erased."""
    days = values["days"]
    within = gettext("in %(days)s days") % {"days": days} if days > 1 else gettext("tomorrow")
    return Letter(
        gettext("The account “%(name)s” is erased %(within)s")
        % {"name": values["name"], "within": within},
        [
            gettext("The account “%(name)s” is closed. After %(until)s %(gone)s")
            % {"name": values["name"], "until": day_of(values["until"]), "gone": gettext(GONE)},
            f"{_restoring(values)} {_opening(values)}",
        ],
        link=_page(),
        is_urgent=True,
    )


@register(REOPENED, Topic.SECURITY)
def reopened(values: Values) -> Letter:
    """Say that an account is open again."""
    return Letter(
        gettext("The account “%(name)s” is open again") % {"name": values["name"]},
        [
            gettext("The account “%(name)s” was opened again, and nothing of it is erased.")
            % {"name": values["name"]},
            gettext(
                "If it was on a paid plan, that has ended: choose one on the page Billing. Where "
                "more is stored than the free plan has room for, new backups are paused until then."
            ),
        ],
        link=Link(gettext("Open the page Billing"), f"{settings.SITE_URL}/billing/"),
    )


@register(ERASED, Topic.SECURITY)
def erased(values: Values) -> Letter:
    """Say that an account is gone. It is the last mail."""
    return Letter(
        gettext("The account “%(name)s” is erased") % {"name": values["name"]},
        [
            gettext(
                "What the vaults of “%(name)s” held is destroyed, and so are their keys. "
                "Names, addresses and sign-ins are erased next, of whoever is in no other "
                "account."
            )
            % {"name": values["name"]},
            gettext(
                "A copy in a place that is out of use at present goes when that place is back; "
                "without the keys nobody can read it."
            ),
            gettext(
                "This is the last mail about this account. Invoices stay with our payment service "
                "for as long as the law wants."
            ),
        ],
    )


@register(UNUSED, Topic.SECURITY)
def unused(values: Values) -> Letter:
    """Say that an account that nobody uses will be closed."""
    return Letter(
        gettext("The account “%(name)s” is closed on %(closes)s unless it is used")
        % {"name": values["name"], "closes": day_of(values["closes"])},
        [
            gettext(
                "Nobody has used the account “%(name)s” since %(since)s: no sign-in, no "
                "backup, no restore, no program."
            )
            % {"name": values["name"], "since": day_of(values["since"])},
            gettext(
                "It is on the free plan, so it is closed on %(closes)s, and erased 30 days "
                "later with all that is stored in it."
            )
            % {"closes": day_of(values["closes"])},
            gettext("To keep it, sign in once, or let a computer back up."),
        ],
        link=Link(gettext("Sign in"), f"{settings.SITE_URL}/accounts/login/"),
        is_urgent=True,
    )


def _restoring(values: Values) -> str:
    if values["reason"] == Closing.Reason.UNPAID:
        return gettext("Restores have ended, and work again once it is paid.")
    return gettext("Until %(until)s your files can be restored.") % {
        "until": day_of(values["until"])
    }


def _paying(values: Values) -> str:
    if values["reason"] == Closing.Reason.UNPAID:
        return ""
    return gettext("A paid plan ends at once, and there is no further charge.")


def _opening(values: Values) -> str:
    if values["reason"] == Closing.Reason.UNPAID:
        return gettext("Whoever settles it on the page Billing before that keeps everything.")
    return gettext("An owner can open it again until then, in the settings.")


def _page() -> Link:
    return Link(gettext("Open the page"), f"{settings.SITE_URL}/settings/close/")
