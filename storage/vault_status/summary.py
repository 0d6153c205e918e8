"""Says in one sentence how all of an account's computers stand. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext, ngettext

from storage.vault_status.protection import AT_REST, Standing

# The worst first: so they are told, and so a list begins.
WORST_FIRST = (
    Standing.AT_RISK,
    Standing.REFUSED,
    Standing.LATE,
    Standing.INCOMPLETE,
    Standing.NEVER,
    Standing.COPYING,
    Standing.PROTECTED,
    Standing.CLOSED,
    Standing.RETIRED,
    Standing.DELETING,
)
# Of these somebody should look after.
URGENT = (Standing.AT_RISK, Standing.REFUSED, Standing.LATE)
_ONE: Mapping[Standing, Callable[[], str]] = {
    Standing.AT_RISK: lambda: gettext("Your computer's backup is at risk."),
    Standing.REFUSED: lambda: gettext("Your computer's last backup was refused."),
    Standing.LATE: lambda: gettext("Your computer's backup is late."),
    Standing.INCOMPLETE: lambda: gettext("Your computer's last backup is incomplete."),
    Standing.NEVER: lambda: gettext("Your computer was never backed up."),
    Standing.COPYING: lambda: gettext("Your computer is backed up; second copies are being made."),
    Standing.PROTECTED: lambda: gettext("Your computer is protected."),
}
_OTHERS: Mapping[Standing, Callable[[int], str]] = {
    Standing.AT_RISK: lambda n: ngettext("%(n)s is at risk", "%(n)s are at risk", n),
    Standing.REFUSED: lambda n: ngettext("%(n)s is refused", "%(n)s are refused", n),
    Standing.LATE: lambda n: ngettext("%(n)s is late", "%(n)s are late", n),
    Standing.INCOMPLETE: lambda n: ngettext("%(n)s is incomplete", "%(n)s are incomplete", n),
    Standing.NEVER: lambda n: ngettext(
        "%(n)s was never backed up", "%(n)s were never backed up", n
    ),
    Standing.COPYING: lambda n: ngettext(
        "%(n)s waits for second copies", "%(n)s wait for second copies", n
    ),
}


def severity(standing: Standing) -> int:
    """Return the place of a standing among all, 0 for the worst."""
    return WORST_FIRST.index(standing)


@dataclass(frozen=True)
class Summary:
    """A sentence, and the worst standing, whose colour and shape go with it."""

    text: str
    standing: Standing


def summarise(standings: Sequence[Standing]) -> Summary:
    """Return the sentence about computers of these standings; those at rest are not counted."""
    found = [standing for standing in standings if standing not in AT_REST]
    if found:
        return Summary(_sentence(found), min(found, key=severity))
    if Standing.CLOSED in standings:
        text = gettext("This account is closed; the backups are here until it is erased.")
        return Summary(text, Standing.CLOSED)
    if Standing.RETIRED in standings or not standings:
        text = gettext("No computer is in use; the backups are still here.")
        return Summary(text, Standing.RETIRED)
    text = gettext("What was backed up is going to be deleted; nothing is backed up any more.")
    return Summary(text, Standing.DELETING)


def _sentence(found: Sequence[Standing]) -> str:
    total, good = len(found), found.count(Standing.PROTECTED)
    if total == 1:
        return _ONE[found[0]]()
    if good == total:
        return gettext("All %(total)s computers are protected.") % {"total": f"{total:,}"}
    others = [
        words(count) % {"n": f"{count:,}"}
        for standing, words in _OTHERS.items()
        if (count := found.count(standing))
    ]
    some = ngettext(
        "%(good)s of %(total)s computers is protected: %(others)s.",
        "%(good)s of %(total)s computers are protected: %(others)s.",
        good,
    )
    none = gettext("None of %(total)s computers is protected: %(others)s.")
    said = {"good": f"{good:,}", "total": f"{total:,}", "others": ", ".join(others)}
    return (some if good else none) % said
