"""How old timestamps must be before an unchanged `stat` proves an unchanged file.

Size, times and inode say that a file is as it was only if every change since then must have moved
one of them. Soon after a change that is not so:

- Times are coarse. Two changes within a tick of the kernel's clock have the same; within a second,
  or two, on file systems that store no more.
- Who writes to mapped memory moves the times once, and no more before the kernel has written the
  page to the disk, which it does after half a minute unless it is told otherwise.

So what had changed less than a minute before a backup began, or later, is read again by the next
one. The time of the last change of status tells: nobody can set it, and every change moves it.
"""

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from nightsafe.fs.status import Seen, Status

_SECOND = 1_000_000_000
_FINE_SECONDS, _COARSE_SECONDS = 60, 120
_WRITTEN_BACK = ("dirty_expire_centisecs", "dirty_writeback_centisecs")
_FAR = 1 << 100


class StatTrust(NamedTuple):
    """From which time of change on, in nanoseconds since 1970, nothing is believed any more.

    One for times with a fraction, one for whole seconds, since those may be coarse.
    """

    fine: int = _FAR
    coarse: int = _FAR

    @classmethod
    def before(cls, began: int) -> "StatTrust":
        """For what a backup read that began at this time."""
        least = writeback_seconds()
        fine, coarse = max(_FINE_SECONDS, least), max(_COARSE_SECONDS, least)
        return cls(began - fine * _SECOND, began - coarse * _SECOND)

    def holds(self, status: Status) -> bool:
        """Whether a change since then would show."""
        changed = status.st_ctime_ns
        return changed < (self.fine if changed % _SECOND else self.coarse)

    def holds_all(self, seen: Iterable[Seen]) -> bool:
        """The same of all entries of a folder."""
        newest = max([status.st_ctime_ns for _, _, status in seen], default=0)
        return newest < self.coarse or all(self.holds(status) for _, _, status in seen)


@cache
def writeback_seconds() -> int:
    """How long the kernel may keep a written page from the disk; twice that, to be sure."""
    total = 0
    try:
        for name in _WRITTEN_BACK:
            with open(f"/proc/sys/vm/{name}", "rb") as file:
                total += int(file.read())
    except (OSError, ValueError):
        return 0
    return 2 * total // 100
