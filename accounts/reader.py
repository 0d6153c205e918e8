"""In whose language and zone something is worded: as a person chose, or the service's own."""

from collections.abc import Iterator
from contextlib import contextmanager
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone, translation

from accounts.models import User

Person = User | AnonymousUser | None


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
