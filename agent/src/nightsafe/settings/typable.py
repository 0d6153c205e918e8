"""Tells whether a text can be typed as one line on any computer."""

import unicodedata

_CATEGORIES = ("Cc", "Cs", "Zl", "Zp")
"""Control characters, lone surrogates (bytes that are not UTF-8), line separators."""
_MARKS = "\ufeff\ufffe"


def is_typable(text: str) -> bool:
    """Return False if a character cannot be typed as part of a line."""
    return not any(c in _MARKS or unicodedata.category(c) in _CATEGORIES for c in text)
