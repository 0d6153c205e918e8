"""Words how well a vault is protected, as a pure function of its figures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.utils.translation import gettext, ngettext

from accounts.templatetags.amounts import day, number
from storage.events.refusal_wording import refusal_in_words
from storage.vaults.lateness import USUAL, late_from

COPY_PATIENCE = timedelta(hours=1)
DAYS_FROM = 48  # hours, from which on a span is told in days


class Standing(StrEnum):
    """The words customers read, in pages and mails alike."""

    PROTECTED = "protected"
    COPYING = "copying"
    INCOMPLETE = "incomplete"
    LATE = "late"
    REFUSED = "refused"
    RETIRED = "retired"
    DELETING = "deleting"
    CLOSED = "closed"
    NEVER = "never"
    AT_RISK = "at risk"

    @property
    def slug(self) -> str:
        """The word for a class or a file name."""
        return self.value.replace(" ", "-")

    @property
    def word(self) -> str:
        """The word in the reader's language."""
        return _WORDS[self]()


_WORDS: Mapping[Standing, Callable[[], str]] = {
    Standing.PROTECTED: lambda: gettext("protected"),
    Standing.COPYING: lambda: gettext("copying"),
    Standing.INCOMPLETE: lambda: gettext("incomplete"),
    Standing.LATE: lambda: gettext("late"),
    Standing.REFUSED: lambda: gettext("refused"),
    Standing.RETIRED: lambda: gettext("retired"),
    Standing.DELETING: lambda: gettext("deleting"),
    Standing.CLOSED: lambda: gettext("closed"),
    Standing.NEVER: lambda: gettext("never"),
    Standing.AT_RISK: lambda: gettext("at risk"),
}


# Of these no backup is expected, so they are neither protected nor to be looked after.
AT_REST = (Standing.RETIRED, Standing.DELETING, Standing.CLOSED)


@dataclass(frozen=True)
class VaultFigures:
    """What a vault holds. Bytes are of live objects; copies count those that are there to be read.

    `kept_bytes` were removed and are kept for the grace period. `thin` objects have fewer than two
    good copies; `waiting` copies are still to be made, the first of them since `waiting_since`, to
    within ten minutes. `unread` paths could not be read by the last backup;
    None if the program that made it does not tell.
    """

    objects: int = 0
    snapshots: int = 0
    bytes: int = 0
    kept_bytes: int = 0
    lost: int = 0
    thin: int = 0
    fewest_copies: int = 0
    waiting: int = 0
    parked: int = 0
    waiting_since: datetime | None = None
    last_backup: datetime | None = None
    unread: int | None = None
    # Why the service refused a backup after the last one that it took.
    refused_at: datetime | None = None
    refused_text: str = ""
    # When everything was removed, or all snapshots but one, and nobody has said that it was meant.
    wiped_at: datetime | None = None
    # Until when it can be kept, where its deletion was asked for.
    kept_until: datetime | None = None
    # How often backups are to come, as far as that is known; none from a device that is retired.
    interval: timedelta | None = None
    is_retired: bool = False
    is_closed: bool = False  # its account is


@dataclass(frozen=True)
class Protection:
    """The answer: a word, and a sentence that says why."""

    standing: Standing
    reason: str


def judge(figures: VaultFigures, now: datetime) -> Protection:
    """Say how a vault stands at `now`, the worst news first."""
    if figures.kept_until is not None:
        return Protection(
            Standing.DELETING,
            gettext(
                "It is going to be deleted, as was asked. Until %(day)s you can keep it; nothing "
                "is backed up into it any more."
            )
            % {"day": day(figures.kept_until)},
        )
    risk = _risk(figures, now)
    if risk:
        return Protection(Standing.AT_RISK, risk)
    at_rest = _at_rest(figures)
    if at_rest is not None:
        return at_rest
    if figures.refused_at is not None:
        return Protection(
            Standing.REFUSED,
            gettext("The service refused the last backup, on %(day)s: %(text)s")
            % {"day": day(figures.refused_at), "text": refusal_in_words(figures.refused_text)},
        )
    if figures.last_backup is None:
        return Protection(Standing.NEVER, gettext("No backup has been completed yet."))
    if now > late_from(figures.last_backup, figures.interval):
        return Protection(Standing.LATE, _late(figures.last_backup, figures.interval, now))
    if figures.unread:
        return Protection(Standing.INCOMPLETE, _incomplete(figures.unread))
    if figures.thin:
        return Protection(Standing.COPYING, _copying(figures))
    return Protection(Standing.PROTECTED, _protected(figures))


def _at_rest(figures: VaultFigures) -> Protection | None:
    """Return how a vault stands of which nothing is wanted, None for another one."""
    if figures.is_closed:
        return Protection(
            Standing.CLOSED,
            gettext(
                "This account is closed, so nothing is backed up any more. What is here can be "
                "restored until it is erased."
            ),
        )
    if figures.is_retired:
        return Protection(
            Standing.RETIRED,
            gettext("Its computer is retired, so no backup is expected. What is here stays."),
        )
    return None


def _late(last_backup: datetime, interval: timedelta | None, now: datetime) -> str:
    return gettext(
        "Nothing has been backed up for %(time)s, and usually a backup comes %(every)s. "
        "Is the computer on?"
    ) % {"time": _span(now - last_backup), "every": _every(interval or USUAL)}


def _incomplete(unread: int) -> str:
    return ngettext(
        "The last backup lacks %(count)s path that could not be read. Run it again, or "
        "look at what the program said.",
        "The last backup lacks %(count)s paths that could not be read. Run it again, or "
        "look at what the program said.",
        unread,
    ) % {"count": number(unread)}


def _copying(figures: VaultFigures) -> str:
    if figures.unread is None:  # stock restic does not tell
        return gettext("Everything that was sent is stored; its second copies are being made now.")
    return gettext("The last backup is complete; its second copies are being made now.")


def _protected(figures: VaultFigures) -> str:
    copies = figures.fewest_copies
    if figures.unread is None:
        said = ngettext(
            "Everything that was sent has %(count)s copy.",
            "Everything that was sent has %(count)s copies.",
            copies,
        )
    else:
        said = ngettext(
            "The last backup is complete, with %(count)s copy of everything.",
            "The last backup is complete, with %(count)s copies of everything.",
            copies,
        )
    return said % {"count": number(copies)}


def _risk(figures: VaultFigures, now: datetime) -> str:
    if figures.lost:
        return ngettext(
            "No good copy is left of %(count)s object. Back the computer up again now: what is "
            "still there is sent anew.",
            "No good copy is left of %(count)s objects. Back the computer up again now: what is "
            "still there is sent anew.",
            figures.lost,
        ) % {"count": number(figures.lost)}
    if figures.last_backup is not None and not figures.snapshots:
        return gettext(
            "All snapshots have been removed from this vault. If that was not you, revoke the "
            "credential that did it and bring them back within 30 days, both on the vault's page."
        )
    if figures.wiped_at is not None:
        return gettext(
            "All snapshots but one, or all of them, were removed on %(day)s. If that was not you, "
            "revoke the credential that did it and bring them back within 30 days, both on the "
            "vault's page."
        ) % {"day": day(figures.wiped_at)}
    if figures.parked or _is_overdue(figures, now):
        return ngettext(
            "%(count)s copy should have been made by now. The service keeps trying.",
            "%(count)s copies should have been made by now. The service keeps trying.",
            figures.waiting,
        ) % {"count": number(figures.waiting)}
    if figures.thin > figures.waiting:
        return ngettext(
            "There is only one copy of %(count)s object.",
            "There is only one copy of %(count)s objects.",
            figures.thin,
        ) % {"count": number(figures.thin)}
    return ""


def _is_overdue(figures: VaultFigures, now: datetime) -> bool:
    since = figures.waiting_since
    return since is not None and now - since > COPY_PATIENCE


def _span(span: timedelta) -> str:
    """Return a span in whole hours or days."""
    hours = round(span / timedelta(hours=1))
    if hours < DAYS_FROM:
        return ngettext("%(count)s hour", "%(count)s hours", hours) % {"count": hours}
    days = round(hours / 24)
    return ngettext("%(count)s day", "%(count)s days", days) % {"count": days}


def _every(span: timedelta) -> str:
    """Return how often something comes, as "every day"."""
    hours = round(span / timedelta(hours=1))
    if hours == 24:
        return gettext("every day")
    if hours == 1:
        return gettext("every hour")
    if hours < DAYS_FROM:
        return gettext("every %(count)s hours") % {"count": hours}
    return gettext("every %(count)s days") % {"count": round(hours / 24)}
