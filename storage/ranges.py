"""The Range header, as far as restic uses it: one span of bytes. Pure."""

import re

from storage.errors import RangeError
from storage.serve import Span

_FORM = re.compile(r"bytes=(\d{1,18})-(\d{0,18})")


def parse_range(header: str | None, size: int) -> Span | None:
    """Return the asked span of an object of `size` bytes, or None for all of it.

    Raises RangeError for a span outside the object and for forms that no client here sends.
    """
    if header is None:
        return None
    match = _FORM.fullmatch(header.strip())
    if match is None:
        raise RangeError("Only ranges of the form bytes=FIRST-LAST are served.")
    first = int(match[1])
    last = min(int(match[2]), size - 1) if match[2] else size - 1
    if first > last:
        raise RangeError(f"The object has {size} bytes.")
    return Span(first, last - first + 1)
