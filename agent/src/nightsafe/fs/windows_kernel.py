"""Calls of the Windows API that Python does not offer."""

from typing import Any


def kernel() -> Any:
    """Return the library `kernel32`, which only Windows has."""
    import ctypes

    functions: Any = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined]
    functions.OpenProcess.restype = ctypes.c_void_p
    return functions
