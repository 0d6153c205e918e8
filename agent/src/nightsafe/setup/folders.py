"""Which folders somebody may want to back up, and how much is in them."""

import os
import stat
import time
from collections.abc import Sequence
from typing import NamedTuple

_KINDS = ("documents", "pictures", "desktop", "music", "videos")
_SECONDS = 5.0


class Amount(NamedTuple):
    """What is below a folder; `is_whole` if all of it was looked at in time."""

    files: int
    bytes: int
    is_whole: bool = True


def suggested_folders() -> list[str]:
    """Return the folders of this user that hold their own work, the most precious first.

    The whole home where there are none of them, as on a server; nothing without a home.
    """
    import platformdirs

    home = os.path.expanduser("~")
    if not os.path.isabs(home) or not os.path.isdir(home):
        return []
    found: list[str] = []
    for kind in _KINDS:
        try:
            folder = str(getattr(platformdirs, f"user_{kind}_dir")())
        except (RuntimeError, OSError):
            continue
        # Where a system knows no such folder it names the home itself.
        if os.path.isdir(folder) and not os.path.samefile(folder, home) and folder not in found:
            found.append(folder)
    return found or [home]


def measure(folder: str, seconds: float = _SECONDS) -> Amount:
    """Return what is below a folder, as far as it can be seen in so many seconds.

    Links are not followed; what cannot be read counts as nothing.
    """
    until = time.monotonic() + seconds
    files = size = 0
    folders = [folder]
    while folders:
        if time.monotonic() > until:
            return Amount(files, size, is_whole=False)
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    status = entry.stat(follow_symlinks=False)
                    if stat.S_ISDIR(status.st_mode):
                        folders.append(entry.path)
                    elif stat.S_ISREG(status.st_mode):
                        files += 1
                        size += status.st_size
        except OSError:
            continue
    return Amount(files, size)


def is_utf8(path: str) -> bool:
    """Return whether a path can stand in the file of jobs."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def without_nested(folders: Sequence[str]) -> list[str]:
    """Leave out what lies in another one of them, and what comes twice."""
    kept: list[str] = []
    for folder in folders:
        others = [other for other in folders if other != folder]
        if folder not in kept and not any(_is_in(folder, other) for other in others):
            kept.append(folder)
    return kept


def _is_in(folder: str, other: str) -> bool:
    try:
        return os.path.commonpath([folder, other]) == other
    except ValueError:  # another drive
        return False
