"""Imports modules of the standard library that only some platforms have."""

import importlib
from typing import Any


def optional(module: str) -> Any:
    """Return a module, or None if this platform lacks it."""
    try:
        return importlib.import_module(module)
    except ImportError:
        return None
