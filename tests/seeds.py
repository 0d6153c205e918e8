"""Chance for tests over generated input: drawn anew in each run, and printed to be repeated."""

import os
import random


def drawn() -> random.Random:
    """Return a source of chance; NIGHTSAFE_TEST_SEED repeats one that a failed test printed."""
    seed = int(os.environ.get("NIGHTSAFE_TEST_SEED") or random.SystemRandom().randrange(2**32))
    print(f"NIGHTSAFE_TEST_SEED={seed}")
    return random.Random(seed)
