"""Counts in words: one file, two files."""


def show_count(number: float, what: str, many: str = "") -> str:
    """`1 file`, `2 files`; `many` where that is no more than an s behind it: `2 entries`."""
    shown = f"{number:g}" if isinstance(number, float) else str(number)
    return f"{shown} {what if number == 1 else many or what + 's'}"
