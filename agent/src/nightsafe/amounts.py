"""Formats and parses counts and sizes."""

import re

# Every command loads this; few parse sizes, so patterns are compiled and errors loaded on use.
_RESTICS = r"(\d+)([bkmgt]?)"
_SIZE = r"(\d+)([kmgt]?)(?:i?b)?"
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def show_count(number: float, what: str, many: str = "") -> str:
    """Format a count with its noun: `1 file`, `2 files`; `many` is an irregular plural."""
    shown = f"{number:g}" if isinstance(number, float) else str(number)
    return f"{shown} {what if number == 1 else many or what + 's'}"


def show_size(size: float) -> str:
    """Format bytes in powers of ten: `5 B`, `1.2 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def parse_size(text: str, *, as_restic: bool = False) -> int:
    """Parse a number with an optional k, m, g or t, which are powers of 1024 as in restic.

    UsageError if it is invalid, or `as_restic` if restic rejects it, such as 3MiB and blanks.
    """
    pattern, given = (_RESTICS, text) if as_restic else (_SIZE, text.strip())
    found = re.fullmatch(pattern, given, re.IGNORECASE | re.ASCII)
    if found is None:
        from nightsafe.errors import UsageError

        raise UsageError(f"{text!a} is not a size; write it like 100K, 20M or 3G.")
    return int(found[1]) * _UNITS[found[2].lower()]
