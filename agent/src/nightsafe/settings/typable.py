"""Tells whether a text can be typed as one line on any computer."""

import unicodedata

_CATEGORIES = ("Cc", "Cs", "Zl", "Zp")
"""Controls, bytes that are no UTF-8 (as lone surrogates), separators of lines."""
_MARKS = "\ufeff\ufffe"


def is_typable(text: str) -> bool:
    """False if it has characters that no keyboard sends as part of a line."""
    return not any(c in _MARKS or unicodedata.category(c) in _CATEGORIES for c in text)
