"""Parses the Range header: one byte range, as RFC 9110 (sections 14.1 and 14.2) has it. Pure."""

import re

from storage.downloads.read import Span
from storage.errors import RangeError

_BYTES = re.compile(r"bytes=(.+)", re.IGNORECASE | re.ASCII)
_SPEC = re.compile(r"(\d*)-(\d*)", re.ASCII)
_ENDLESS = 10**18  # beyond every object


def parse_range(header: str | None, size: int) -> Span | None:
    """Return the asked span of an object of `size` bytes, or None for all of it.

    Other units and what is no valid range count as if they were not there, and so do several
    ranges, which a server may. Raises RangeError for a valid one that lies outside the object.
    """
    spec = _only_one(header)
    if spec is None:
        return None
    first, last = spec
    if first is None:
        return _ending(last or 0, size)
    if last is not None and last < first:
        return None
    if first >= size:
        raise RangeError(size)
    end = size - 1 if last is None else min(last, size - 1)
    return Span(first, end - first + 1)


def _ending(length: int, size: int) -> Span | None:
    """Return the span of the last `length` bytes."""
    if length == 0:
        raise RangeError(size)
    length = min(length, size)
    return Span(size - length, length) if size else None


def _only_one(header: str | None) -> tuple[int | None, int | None] | None:
    """Return the first and last position of a single range; a missing one is None."""
    found = _BYTES.fullmatch((header or "").strip(" \t"))
    if found is None:
        return None
    specs = [part for part in (one.strip(" \t") for one in found[1].split(",")) if part]
    if len(specs) != 1:
        return None
    match = _SPEC.fullmatch(specs[0])
    if match is None or match[0] == "-":
        return None
    first, last = map(_number, match.groups())
    return first, last


def _number(digits: str) -> int | None:
    if not digits:
        return None
    return int(digits) if len(digits.lstrip("0")) <= 18 else _ENDLESS
