"""Checks texts from outside before they reach a database."""

import re

# NUL ends a text for PostgreSQL. Half of a surrogate pair, which JSON and a command's arguments can
# hold, is no character and cannot be written as UTF-8.
_ODD = re.compile("[\x00\ud800-\udfff]")


def is_plain(text: str) -> bool:
    """Return whether every database takes this text."""
    return _ODD.search(text) is None
