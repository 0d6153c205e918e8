"""The agent's extensions in C. Each may be missing, and then Python does the same work."""

import importlib

import pytest

NAMES = (
    *("blob_set", "fastcdc", "file_match", "file_writer", "index_entries", "memory", "rabin"),
    *("scrypt", "seal", "sha256", "small_files", "stat", "tree_check", "tree_nodes"),
)


def is_built(name: str) -> bool:
    """Whether this extension can be loaded here."""
    try:
        importlib.import_module(f"nightsafe._native.{name}")
    except ImportError:
        return False
    return True


def needs(name: str) -> pytest.MarkDecorator:
    """The mark of a test that is of this extension alone: it is skipped where there is none."""
    assert name in NAMES
    # In CI it never skips: test_extensions fails there if one is missing.
    reason = f"nightsafe._native.{name} is not built here"
    return pytest.mark.skipif(not is_built(name), reason=reason)
