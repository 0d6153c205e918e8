"""Tells one after the other, so that none keeps the others from being told."""

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

Row = TypeVar("Row")
log = logging.getLogger(__name__)


def each(rows: Iterable[Row], tell: Callable[[Row], int | None], complaint: str) -> int:
    """Call `tell` with every row, and return the sum of what it returns.

    Where it fails, `complaint` is logged with the error, and the next one has its turn.
    """
    count = 0
    for row in rows:
        try:
            count += tell(row) or 0
        except Exception:
            log.exception(complaint)
    return count
