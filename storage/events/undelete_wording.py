"""Words what was brought back into a vault, for whoever reads it and whenever it was noted."""

import re

from django.utils.translation import gettext, ngettext

from accounts.templatetags.amounts import number
from accounts.templatetags.words import wish_in_words

# As it is noted, now and until 0.1.0.
_NOTED = re.compile(
    r"(?P<objects>[\d,]+) objects? (?:is|are) back"
    r"(?:, (?P<snapshots>[\d,]+) snapshots? among them)?\."
    r" Asked for: (?P<what>.+?)\."
    r"(?: Of (?P<lost>[\d,]+) of them no good copy is left; back the computer up again\.)?"
    r"(?: (?P<purged>[\d,]+) more (?:is|are) gone for good, since (?:its|their) time was over\.)?"
)
_NOTED_BEFORE = re.compile(
    r"(?P<objects>[\d,]+) objects came back, (?P<snapshots>[\d,]+) of them snapshots: "
    r"(?P<what>.+?)\."
    r"(?: Of (?P<lost>[\d,]+) of them no good copy is left; back the computer up again\.)?"
    r"(?: (?P<purged>[\d,]+) more are gone for good, since their time was over\.)?"
)


def outcome(*, objects: int, snapshots: int, what: str, lost: int = 0, purged: int = 0) -> str:
    """Say what came back, what of it was asked for, and what did not."""
    said = ngettext("%(count)s object is back", "%(count)s objects are back", objects)
    said %= {"count": number(objects)}
    if snapshots:
        among = ngettext(
            ", %(count)s snapshot among them", ", %(count)s snapshots among them", snapshots
        )
        said += among % {"count": number(snapshots)}
    said += ". " + gettext("Asked for: %(what)s.") % {"what": what}
    if lost:
        text = gettext("Of %(count)s of them no good copy is left; back the computer up again.")
        said += " " + text % {"count": number(lost)}
    if purged:
        text = ngettext(
            "%(count)s more is gone for good, since its time was over.",
            "%(count)s more are gone for good, since their time was over.",
            purged,
        )
        said += " " + text % {"count": number(purged)}
    return said


def outcome_in_words(text: str) -> str:
    """Return a noted outcome in the reader's language; one that is none as it is."""
    found = _NOTED.fullmatch(text) or _NOTED_BEFORE.fullmatch(text)
    if found is None:
        return text
    counts = ("objects", "snapshots", "lost", "purged")
    figures = {name: int((found[name] or "0").replace(",", "")) for name in counts}
    return outcome(what=wish_in_words(found["what"]), **figures)
