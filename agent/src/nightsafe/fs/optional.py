"""Modules of the standard library that not every system has."""

import importlib
from typing import Any


def optional(module: str) -> Any:
    """Return a module, or None where there is no such thing."""
    try:
        return importlib.import_module(module)
    except ImportError:
        return None
