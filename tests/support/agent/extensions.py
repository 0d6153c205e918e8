"""The agent's extensions in C. Each may be missing, and then Python does the same work."""

import importlib

import pytest

NAMES = (
    *("file_match", "fastcdc", "sha256", "index_entries", "memory", "small_files", "blob_set", "stat"),
    *("tree_nodes", "file_writer", "tree_check", "rabin", "scrypt", "seal"),
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
