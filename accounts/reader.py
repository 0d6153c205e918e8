"""In whose language and zone something is worded: as a person chose, or the service's own.

What is stored in English, with figures in it, is recognised by the pattern of its text, so that
rows of any age are read in the reader's language.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.utils import formats, timezone, translation
from django.utils.translation import get_language, gettext

from accounts.models import User

Person = User | AnonymousUser | None
_GAP = re.compile(r"%\((\w+)\)s|\{(\w+)[^}]*\}")
_SIZE = re.compile(r"\d+\.\d [kMGTP]?B")


@contextmanager
def worded_for(person: Person) -> Iterator[None]:
    """Have words be in a person's language, and moments in their zone."""
    with translation.override(language_of(person) or settings.LANGUAGE_CODE), in_zone_of(person):
        yield


@contextmanager
def in_zone_of(person: Person) -> Iterator[None]:
    """Have moments be in the zone that a person chose; without one, in that of the service."""
    with timezone.override(zone_of(person)):
        yield


def language_of(person: Person) -> str:
    """Return the language that somebody chose or signed up in, or "" where that is not known."""
    language = getattr(person, "language", "")
    return language if language in dict(settings.LANGUAGES) else ""


def zone_of(person: Person) -> ZoneInfo | None:
    """Return the zone that somebody chose, or None."""
    chosen = getattr(person, "time_zone", "")
    try:
        return ZoneInfo(chosen) if chosen else None
    except (ZoneInfoNotFoundError, ValueError):  # a zone that this machine does not know
        return None


def reworded(text: str, forms: Sequence[str]) -> str | None:
    """Return a stored text in the reader's language, or None where no form is its own.

    A form is an English message, with gaps as `%(name)s` or `{name}` for what stands there.
    """
    if (get_language() or "en").startswith("en"):
        return text
    for form in forms:
        found = _pattern(form).fullmatch(text)
        if found:
            return _filled(gettext(form), found.groupdict())
    return None


@cache
def _pattern(form: str) -> re.Pattern[str]:
    parts, end = [], 0
    for gap in _GAP.finditer(form):
        parts += [re.escape(form[end : gap.start()]), f"(?P<{gap[1] or gap[2]}>.+?)"]
        end = gap.end()
    return re.compile("".join([*parts, re.escape(form[end:])]), re.DOTALL)


def _filled(form: str, words: dict[str, str]) -> str:
    return _GAP.sub(lambda gap: _figure(words[gap[1] or gap[2]]), form)


def _figure(text: str) -> str:
    """Return a size with the reader's decimal separator, anything else as it is."""
    if not _SIZE.fullmatch(text):
        return text
    return text.replace(".", formats.get_format("DECIMAL_SEPARATOR"))
