"""Locks among this user's own processes, by files in the folder of states."""

import contextlib
import os
from collections.abc import Iterator

from nightsafe.errors import LockedError, SettingsError
from nightsafe.fs.file_locks import lock_file


@contextlib.contextmanager
def held(path: str, taken: str) -> Iterator[int]:
    """Hold a lock for the length of a `with` block; yield the descriptor that holds it.

    Raises LockedError, which says `taken`, if another process does; SettingsError if there can be
    no such file.
    """
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}.") from error
    try:
        try:
            lock_file(fd, wait=False)
        except OSError:
            raise LockedError(taken) from None
        yield fd
    finally:
        os.close(fd)


def is_held(path: str) -> bool:
    """Return whether a process holds a lock; nobody does where there can be none."""
    if not os.path.exists(path):
        return False
    try:
        with held(path, ""):
            return False
    except LockedError:
        return True
    except SettingsError:
        return False
