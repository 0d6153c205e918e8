"""Words that the code or the database holds, in the language of the page."""

import re

from django import template
from django.utils.translation import gettext, gettext_noop, ngettext

from accounts.reader import reworded
from accounts.templatetags.amounts import number

register = template.Library()
# What is to be brought back into a vault, as it is noted in English.
OF_CREDENTIAL = gettext_noop("what the credential %(credential)s has removed since %(moment)s")
EVERYTHING = gettext_noop("everything of %(moment)s")
_CHOSEN = re.compile(r"([\d,]+) chosen snapshots?(?: as of (.+))?")


@register.filter
def in_words(text: object) -> str:
    """Return a role, a label of a choice or another fixed text in the reader's language."""
    return gettext(str(text)) if text else ""


def wish_in_words(text: str) -> str:
    """Return what was asked for, noted in English, in the reader's language."""
    chosen = _CHOSEN.fullmatch(text)
    if chosen:
        return chosen_snapshots(int(chosen[1].replace(",", "")), chosen[2] or "")
    said = reworded(text, (OF_CREDENTIAL, EVERYTHING))
    return text if said is None else said


def chosen_snapshots(count: int, moment: str) -> str:
    """Return how many snapshots were chosen, and as of which moment where one was named."""
    said = ngettext("%(count)s chosen snapshot", "%(count)s chosen snapshots", count)
    said %= {"count": number(count)}
    return said + (" " + gettext("as of %(moment)s") % {"moment": moment} if moment else "")
