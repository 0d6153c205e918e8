"""Writes JSON exactly as Go's standard library does, so that tree ids equal stock restic's.

A tree has three layers: `strconv.Quote` for file names, `encoding/json` for strings, and RFC 3339
with nanoseconds in the local zone for times. All functions are pure, apart from the local time
zone.
"""

import calendar
import json
import re
import time
from functools import lru_cache

from nightsafe.errors import DamagedError

_PLAIN_NAME = re.compile(rb"[ !#-%'-;=?-\[\]-~]*")
"""Names that neither Go's quoting nor JSON changes: printable ASCII without " & < > \\."""

_SHORT = {7: "a", 8: "b", 9: "t", 10: "n", 11: "v", 12: "f", 13: "r"}
_UNSHORT = {letter: bytes([code]) for code, letter in _SHORT.items()} | {"\\": b"\\", '"': b'"'}
_ESCAPE = re.compile(
    r"\\(?:x(?P<x>[0-9a-fA-F]{2})|u(?P<u>[0-9a-fA-F]{4})|U(?P<U>[0-9a-fA-F]{8})"
    r'|(?P<o>[0-3][0-7]{2})|(?P<s>[abfnrtv\\"]))'
)
_HTML = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_JSON_EXTRA = re.compile("[<>&\u2028\u2029\udc80-\udcff]")
_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(Z|[+-]\d\d:\d\d)", re.ASCII)
_STAMP_SIZE, _DIGITS = 19, 9
_SECOND = 1_000_000_000
_LAST_YEAR = 9999
_CYCLE_YEARS = 400
_CYCLE = 146_097 * 86_400
"""The seconds of 400 years, after which the calendar repeats."""


def quote_name(name: bytes) -> str:
    """Quote as Go's `strconv.Quote` does, without the outer quotation marks."""
    out = []
    for char in name.decode("utf-8", "surrogateescape"):
        code = ord(char)
        if 0xDC80 <= code <= 0xDCFF:
            out.append(f"\\x{code - 0xDC00:02x}")
        elif char in '\\"':
            out.append("\\" + char)
        elif char.isprintable():
            out.append(char)
        elif code in _SHORT:
            out.append("\\" + _SHORT[code])
        else:
            out.append(_quote_code(code))
    return "".join(out)


def _quote_code(code: int) -> str:
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def unquote_name(text: str) -> bytes:
    """Reverse `quote_name`; DamagedError if the text is not validly quoted."""
    out, position = [], 0
    while position < len(text):
        start = text.find("\\", position)
        if start < 0:
            start = len(text)
        if start > position:
            out.append(_encode(text[position:start]))
        if start == len(text):
            break
        found = _ESCAPE.match(text, start)
        if found is None:
            raise DamagedError("A tree is damaged: a file name is not quoted as it should be.")
        out.append(_unescape(found))
        position = found.end()
    return b"".join(out)


def _unescape(found: "re.Match[str]") -> bytes:
    kind, digits = found.lastgroup, found.group(found.lastgroup or 0)
    if kind == "s":
        return _UNSHORT[digits]
    if kind in ("x", "o"):
        return bytes([int(digits, 16 if kind == "x" else 8)])
    code = int(digits, 16)
    if code > 0x10FFFF:
        raise DamagedError("A tree is damaged: a file name holds an impossible character.")
    return _encode(chr(code))


def _encode(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise DamagedError("A tree is damaged: a text is not valid Unicode.") from None


def json_string(text: bytes) -> str:
    """Encode a JSON string as Go's `encoding/json` does; invalid bytes become ``\\ufffd``."""
    encoded = json.dumps(text.decode("utf-8", "surrogateescape"), ensure_ascii=False)
    # Python writes \b and \f; Go up to 1.21, and so stock restic 0.14, does not.
    if "\\b" in encoded or "\\f" in encoded:
        encoded = re.sub(r"\\(.)", _go_control, encoded)
    return _JSON_EXTRA.sub(lambda m: _HTML.get(m.group(), "\\ufffd"), encoded)


def _go_control(found: "re.Match[str]") -> str:
    return {"b": "\\u0008", "f": "\\u000c"}.get(found.group(1), found.group())


def json_name(name: bytes) -> str:
    """Encode a file name as trees contain it: Go-quoted, then JSON-escaped, in quotes."""
    if _PLAIN_NAME.fullmatch(name):
        return f'"{name.decode("ascii")}"'
    return json_string(quote_name(name).encode("utf-8"))


@lru_cache(maxsize=1 << 14)
def format_second(second: int) -> tuple[str, str]:
    """Format a second since 1970 as RFC 3339 in the local zone: (date and time, zone)."""
    second = _within_years(second)
    local = time.localtime(second)
    offset = local.tm_gmtoff
    if offset % 60:  # historic local mean time; RFC 3339 allows whole minutes only
        local, offset = time.gmtime(second), 0
    return _stamp(local), _zone(offset)


def _within_years(second: int) -> int:
    """Move a second beyond the years 0 to 9999 into the nearest of them, as stock restic does.

    The date and time of day stay; 29 February becomes 1 March if there is none.
    """
    try:
        local = time.localtime(second)
    except (OverflowError, OSError, ValueError):  # billions of years away
        local = time.localtime(second % _CYCLE)
    else:
        if 0 <= local.tm_year <= _LAST_YEAR:
            return second
    year = 0 if second < 0 else _LAST_YEAR
    return _second_of((year, *local[1:6]))


def _second_of(day_and_time: tuple[int, ...]) -> int:
    """Return the second of a local date and time.

    Of an ambiguous or skipped time, it is the one that Go chooses: by the zone's offset at the time
    that UTC would have had.
    """
    year, *rest = day_and_time
    # Python's years begin with 1; the calendar of the year 0 is that of 400.
    cycles = int(year < 1)
    in_utc = calendar.timegm((year + cycles * _CYCLE_YEARS, *rest, 0, 0, 0)) - cycles * _CYCLE
    offset = time.localtime(in_utc).tm_gmtoff
    return in_utc - time.localtime(in_utc - offset).tm_gmtoff


def _stamp(clock: time.struct_time) -> str:
    year = min(max(clock.tm_year, 0), 9999)
    return f"{year:04d}-" + time.strftime("%m-%dT%H:%M:%S", clock)


def _zone(offset: int) -> str:
    sign, minutes = ("-" if offset < 0 else "+"), abs(offset) // 60
    return f"{sign}{minutes // 60:02d}:{minutes % 60:02d}" if offset else "Z"


def format_time(ns: int) -> str:
    """Format nanoseconds since 1970 as RFC 3339 in the local zone, without trailing zeros."""
    second, fraction = divmod(ns, _SECOND)
    stamp, zone = format_second(second)
    if fraction:
        stamp += f".{fraction:09d}".rstrip("0")
    return stamp + zone


def format_time_in(ns: int, zone: int) -> str:
    """Like `format_time`, in a zone given in seconds ahead of UTC."""
    second, fraction = divmod(ns, _SECOND)
    digits = f".{fraction:09d}".rstrip("0") if fraction else ""
    return _stamp(time.gmtime(second + zone)) + digits + _zone(zone)


def parse_time(text: str) -> int:
    """Parse an RFC 3339 time to nanoseconds since 1970; DamagedError if it is invalid."""
    zone = text[-1:] if text.endswith("Z") else text[-6:]
    fraction = text[_STAMP_SIZE : -len(zone)]
    # Many files share a second, few share more, so only seconds are cached.
    second = _parse_second(text[:_STAMP_SIZE] + zone)
    if not fraction:
        return second * _SECOND
    digits = fraction[1:]
    if fraction[0] != "." or len(digits) > _DIGITS or not (digits.isascii() and digits.isdigit()):
        raise DamagedError(_NO_TIME)
    return second * _SECOND + int(digits.ljust(_DIGITS, "0"))


@lru_cache(maxsize=1 << 14)
def _parse_second(text: str) -> int:
    found = _TIME.fullmatch(text)
    if found is None:
        raise DamagedError(_NO_TIME)
    year, *parts, zone = found.groups()
    try:
        # Python's years begin with 1 and end with 9999; the calendar of the year 0 is that of 400.
        first = int(year) < 1
        second = calendar.timegm((int(year) + first * _CYCLE_YEARS, *map(int, parts), 0, 0, 0))
        second -= first * _CYCLE
    except ValueError:
        raise DamagedError("A stored time names a day that does not exist.") from None
    if zone != "Z":
        offset = int(zone[1:3]) * 3600 + int(zone[4:]) * 60
        second += offset if zone[0] == "-" else -offset
    return second


_NO_TIME = "A stored time is not readable; the object that holds it is damaged."
