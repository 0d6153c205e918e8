"""Large reusable memory buffers, in huge pages where there are any.

The first touch of a page costs more than sealing what is written to it, so buffers are kept.
"""

import contextlib
import mmap

try:
    from nightsafe._native import memory as _memory
except ImportError:  # not built here
    _memory = None  # type: ignore[assignment]


def new_memory(size: int) -> mmap.mmap:
    """Zeroed memory; unlike a bytearray's, its pages cost nothing before they are written to."""
    if not hasattr(mmap, "MAP_ANONYMOUS"):
        return mmap.mmap(-1, size)
    memory = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a kernel without large pages
            memory.madvise(mmap.MADV_HUGEPAGE)
    return memory


def new_shared_memory(size: int) -> mmap.mmap:
    """Zeroed memory that forked processes see, too, whoever writes to it."""
    return mmap.mmap(-1, size)


def trim() -> None:
    """Give back what the allocator keeps for later, where it can be told to."""
    if _memory is not None:
        _memory.trim()
