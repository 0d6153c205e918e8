"""Formats bytes, money and moments for people."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from django import template
from django.conf import settings
from django.utils import dateformat, formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext, ngettext

from backup_service import clock

register = template.Library()

BYTE_UNITS = ["B", "kB", "MB", "GB", "TB", "PB"]
SPANS: list[tuple[timedelta, Callable[[int], str]]] = [
    (timedelta(days=365), lambda n: ngettext("%(n)d year ago", "%(n)d years ago", n)),
    (timedelta(days=30), lambda n: ngettext("%(n)d month ago", "%(n)d months ago", n)),
    (timedelta(days=1), lambda n: ngettext("%(n)d day ago", "%(n)d days ago", n)),
    (timedelta(hours=1), lambda n: ngettext("%(n)d hour ago", "%(n)d hours ago", n)),
    (timedelta(minutes=1), lambda n: ngettext("%(n)d minute ago", "%(n)d minutes ago", n)),
]
AHEAD: list[tuple[timedelta, Callable[[int], str]]] = [
    (timedelta(days=365), lambda n: ngettext("in %(n)d year", "in %(n)d years", n)),
    (timedelta(days=30), lambda n: ngettext("in %(n)d month", "in %(n)d months", n)),
    (timedelta(days=1), lambda n: ngettext("in %(n)d day", "in %(n)d days", n)),
    (timedelta(hours=1), lambda n: ngettext("in %(n)d hour", "in %(n)d hours", n)),
    (timedelta(minutes=1), lambda n: ngettext("in %(n)d minute", "in %(n)d minutes", n)),
]


@register.filter
def amount(size: int | None) -> str:
    """Return bytes in decimal units with up to three digits: 1.2 GB, 128 GB, 0 B."""
    value, unit = float(size or 0), 0
    while value >= 999.5 and unit < len(BYTE_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    digits = 0 if value >= 99.95 or unit == 0 else 1
    text = f"{value:.{digits}f}".removesuffix(".0")
    text = text.replace(".", formats.get_format("DECIMAL_SEPARATOR"))
    return f"{text}\u00a0{BYTE_UNITS[unit]}"


def number(count: int) -> str:
    """Return a whole number, its thousands grouped as in the reader's language: 1,234."""
    return formats.number_format(count, use_l10n=True, force_grouping=True)


def day(moment: datetime) -> str:
    """Return the day of a moment in the reader's zone: 5 May 2026."""
    return dateformat.format(timezone.localtime(moment), gettext("j F Y"))


@register.filter("to_the_minute")
def minute(moment: datetime) -> str:
    """Return a moment to the minute, in the reader's zone and with its name."""
    return in_zone(moment, gettext("j F Y, H:i"))


@register.filter
def price(cents: int) -> str:
    """Return dollars, without cents where there are none."""
    dollars, rest = divmod(cents, 100)
    return in_dollars(f"{dollars}.{rest:02}" if rest else str(dollars))


def in_dollars(figure: str) -> str:
    """Return a figure with a decimal point as the reader writes dollars: $0.025, or 0,025 $."""
    figure = figure.replace(".", formats.get_format("DECIMAL_SEPARATOR"))
    return gettext("$%(figure)s") % {"figure": figure}


@register.filter
def ago(moment: datetime) -> str:
    """Return how long ago something was, or when it will be, in its largest unit."""
    return _in_words(clock.now() - moment)


@register.simple_tag
def when(moment: datetime | None, never: str = "") -> SafeString | str:
    """Return a <time> element: relative to read, absolute on pointing at it."""
    if moment is None:
        return never or gettext("never")
    return format_html(
        '<time datetime="{}"{} title="{}">{}</time>',
        moment.isoformat(timespec="seconds"),
        _mark("title"),
        in_zone(moment, gettext("j F Y, H:i")),
        ago(moment),
    )


@register.simple_tag
def when_in_short(moment: datetime | None) -> SafeString | str:
    """Return what `when` does in few bytes, for long tables."""
    if moment is None:
        return gettext("never")
    return format_html(
        '<time datetime="{}Z"{} title="{}">{}</time>',
        f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M}",
        _mark(""),
        in_zone(moment, gettext("j M Y, H:i")),
        ago(moment),
    )


@register.simple_tag
def exactly(moment: datetime) -> SafeString:
    """Return a <time> element that shows the moment itself, to the minute."""
    return format_html(
        '<time datetime="{}"{}>{}</time>',
        moment.isoformat(timespec="seconds"),
        _mark("text"),
        in_zone(moment, gettext("j M Y, H:i")),
    )


def in_zone(moment: datetime, form: str) -> str:
    """Return a moment in the reader's zone, as far as it is known, with the zone's name."""
    local = timezone.localtime(moment)
    return f"{dateformat.format(local, form)} {local.tzname()}"


def _mark(part: str) -> SafeString:
    """Ask the page's script to tell the moment in the browser's zone, where we know none."""
    if timezone.get_current_timezone_name() != settings.TIME_ZONE:
        return mark_safe("")
    return format_html(' data-local="{}"', part) if part else mark_safe(" data-local")


def _in_words(span: timedelta) -> str:
    for length, words in SPANS if span > timedelta() else AHEAD:
        count = abs(span) // length
        if count > 0:
            return words(count) % {"n": count}
    return gettext("just now")
