"""The agent's extensions in C. Each may be missing, and then Python does the same work."""

import importlib

import pytest

NAMES = (
    *("_compare", "_cut", "_digest", "_entries", "_gather", "_known", "_look"),
    *("_nodes", "_place", "_prove", "_rabin", "_scrypt", "_seal"),
)


def is_built(name: str) -> bool:
    """Whether this extension can be loaded here."""
    try:
        importlib.import_module(f"nightsafe.{name}")
    except ImportError:
        return False
    return True


def needs(name: str) -> pytest.MarkDecorator:
    """The mark of a test that is of this extension alone: it is skipped where there is none."""
    assert name in NAMES
    # In CI it never skips: test_extensions fails there if one is missing.
    return pytest.mark.skipif(not is_built(name), reason=f"nightsafe.{name} is not built here")
