"""Checks texts from outside before they reach a database."""

import re
import unicodedata

# NUL ends a text for PostgreSQL. Half of a surrogate pair, which JSON and a command's arguments can
# hold, is no character and cannot be written as UTF-8.
_ODD = re.compile("[\x00\ud800-\udfff]")
# What turns the writing round, so that a name could rewrite the words around it.
_TURNS = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)))


def is_plain(text: str) -> bool:
    """Return whether every database takes this text."""
    return _ODD.search(text) is None


def one_line(text: str) -> str:
    """Return a name as one line: no line breaks, no control characters, single spaces.

    Names stand in mails to others, where a line break would make a paragraph of ours out of them.
    """
    kept = (one if _is_seen(one) else " " for one in text.translate(_TURNS))
    return " ".join("".join(kept).split())


def _is_seen(one: str) -> bool:
    """Whether a character stays in a name. NUL does, for others to refuse the whole text."""
    return one == "\x00" or unicodedata.category(one) != "Cc"
