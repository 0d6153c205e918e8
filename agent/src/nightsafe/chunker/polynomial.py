"""Irreducible polynomials of degree 53 over GF(2), of which every restic config has one.

A polynomial is an int whose bit i is the coefficient of x^i. Our own chunker does not use it, but
stock restic refuses a config without a valid one, and `rabin` cuts as restic does.
"""

import secrets

DEGREE = 53


def remainder(a: int, f: int) -> int:
    """Return the remainder of polynomial `a` divided by `f`."""
    while (shift := a.bit_length() - f.bit_length()) >= 0:
        a ^= f << shift
    return a


def _square(a: int, f: int) -> int:
    # Squaring over GF(2) spreads the bits: reading binary digits as base 4 does it.
    return remainder(int(f"{a:b}", 4), f)


def is_irreducible(f: int) -> bool:
    """Test by Rabin's criterion: as 53 is prime, no root in GF(2) and x^(2^53) = x mod f."""
    if f.bit_length() != DEGREE + 1:
        return False
    has_root = not f & 1 or f.bit_count() % 2 == 0
    if has_root:
        return False
    power = 2
    for _ in range(DEGREE):
        power = _square(power, f)
    return power == 2


def random_polynomial() -> int:
    """Draw uniformly from the irreducible polynomials of degree 53."""
    while True:
        f = (1 << DEGREE) | (secrets.randbits(DEGREE - 1) << 1) | 1
        if is_irreducible(f):
            return f
