"""Functions of Windows itself, for what Python does not offer there."""

from typing import Any


def kernel() -> Any:
    """Return the library `kernel32`, which only Windows has."""
    import ctypes

    functions: Any = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined]
    functions.OpenProcess.restype = ctypes.c_void_p
    return functions
