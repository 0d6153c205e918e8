"""Decides how old timestamps must be before an unchanged `stat` proves an unchanged file.

Size, times and inode prove that only if every change since then must have altered one of them. Soon
after a change that is not so:

- Timestamps are coarse. Two changes within a tick of the kernel's clock have the same one; so
  have two within a second or two on file systems that store no finer times.
- A write to mapped memory updates the times once, and not again until the kernel has written the
  page to the disk, which takes half a minute by default.

So whatever changed less than a minute before a backup began, or later, is read again by the next
one. The ctime decides: nobody can set it, and every change updates it.
"""

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from nightsafe.fs.status import StatEntry, Status

_SECOND = 1_000_000_000
_FINE_SECONDS, _COARSE_SECONDS = 60, 120
_WRITTEN_BACK = ("dirty_expire_centisecs", "dirty_writeback_centisecs")
_FAR = 1 << 100


class StatTrust(NamedTuple):
    """The ctime, in nanoseconds since 1970, from which on `stat` data proves nothing.

    One for times with a fraction, one for whole seconds, which may be coarse.
    """

    fine: int = _FAR
    coarse: int = _FAR

    @classmethod
    def before(cls, began: int) -> "StatTrust":
        """Return the limits for files read by a backup that began at this time."""
        least = writeback_seconds()
        fine, coarse = max(_FINE_SECONDS, least), max(_COARSE_SECONDS, least)
        return cls(began - fine * _SECOND, began - coarse * _SECOND)

    def holds(self, status: Status) -> bool:
        """Whether any change since then would be visible."""
        changed = status.st_ctime_ns
        return changed < (self.fine if changed % _SECOND else self.coarse)

    def holds_all(self, seen: Iterable[StatEntry]) -> bool:
        """Whether that is so for all entries of a folder."""
        newest = max([status.st_ctime_ns for _, _, status in seen], default=0)
        return newest < self.coarse or all(self.holds(status) for _, _, status in seen)


@cache
def writeback_seconds() -> int:
    """Return twice the time for which the kernel may delay writing a page to the disk."""
    total = 0
    try:
        for name in _WRITTEN_BACK:
            with open(f"/proc/sys/vm/{name}", "rb") as file:
                total += int(file.read())
    except (OSError, ValueError):
        return 0
    return 2 * total // 100
