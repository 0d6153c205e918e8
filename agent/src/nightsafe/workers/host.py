"""The computer that this runs on: its processors, and whether a process of it lives."""

import os
from typing import Any

from nightsafe.fs import windows_kernel
from nightsafe.fs.files import IS_WINDOWS


def processors() -> int:
    """How many processors there are for us."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def is_alive(pid: int) -> bool:
    """Whether a process of this computer runs; if nobody can tell, it does."""
    if IS_WINDOWS:
        return _is_alive_there(pid)
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _is_alive_there(pid: int) -> bool:
    import ctypes

    # There os.kill with signal 0 would interrupt the process.
    query, not_there, running = 0x1000, 87, 259
    kernel: Any = windows_kernel.kernel()
    handle = kernel.OpenProcess(query, False, pid & 0xFFFFFFFF)
    if not handle:
        return bool(kernel.GetLastError() != not_there)
    status = ctypes.c_ulong(running)
    kernel.GetExitCodeProcess(ctypes.c_void_p(handle), ctypes.byref(status))
    kernel.CloseHandle(ctypes.c_void_p(handle))
    return status.value == running
