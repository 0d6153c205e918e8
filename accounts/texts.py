"""Checks texts from outside before they reach a database."""

import re
import unicodedata

# NUL ends a text for PostgreSQL. Half of a surrogate pair, which JSON and a command's arguments can
# hold, is no character and cannot be written as UTF-8.
_ODD = re.compile("[\x00\ud800-\udfff]")
# What turns the writing round, so that a name could rewrite the words around it.
_TURNS = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)))
# Letters and marks of which nothing is seen, beside what Unicode calls format characters: fillers
# of Hangul, a blank of Braille, and what chooses how the character before it looks.
_UNSEEN = {*"\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0", *map(chr, range(0xFE00, 0xFE10))}


def is_plain(text: str) -> bool:
    """Return whether every database takes this text."""
    return _ODD.search(text) is None


def one_line(text: str) -> str:
    """Return a name as one line: no line breaks, no control characters, single spaces.

    Empty where nothing of it is seen, so that nobody has a computer whose link cannot be followed.
    Names stand in mails to others, where a line break would make a paragraph of ours out of them.
    """
    kept = (one if _is_seen(one) else " " for one in text.translate(_TURNS))
    line = " ".join("".join(kept).split())
    return line if any(map(_shows, line)) else ""


def _is_seen(one: str) -> bool:
    """Whether a character stays in a name. NUL does, for others to refuse the whole text."""
    return one == "\x00" or unicodedata.category(one) != "Cc"


def _shows(one: str) -> bool:
    """Whether a character is seen by itself. Joiners are not, and stay between others."""
    return not (one.isspace() or one in _UNSEEN or unicodedata.category(one) == "Cf")
