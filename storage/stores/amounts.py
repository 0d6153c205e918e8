"""Bytes as operators write them in the environment: `500GB`, `1.5TiB`, `20M`, `500k`. Pure."""

import re

_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGTP]?)(i?)B?", re.IGNORECASE | re.ASCII)
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5}


def parse_bytes(text: str) -> float:
    """Return a number of bytes above 0: powers of 1000, or of 1024 with an i. Raises ValueError."""
    found = _AMOUNT.fullmatch(text.strip())
    if found is None or float(found[1]) == 0:
        raise ValueError(f"{text!r} is no number of bytes above 0, as 500GB, 1.5TiB or 20M.")
    base = 1024 if found[3] else 1000
    return float(float(found[1]) * base ** _POWERS[found[2].upper()])
