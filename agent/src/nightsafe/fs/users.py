"""Users and groups of this computer, and who runs this process."""

import os
from functools import lru_cache
from typing import Any

from nightsafe.fs import windows
from nightsafe.fs.optional import optional

pwd: Any = optional("pwd")
grp: Any = optional("grp")


@lru_cache(maxsize=4096)
def user_name(uid: int) -> str:
    """The name of a user on this computer, or empty."""
    try:
        return str(pwd.getpwuid(uid).pw_name) if pwd else ""
    except (KeyError, OverflowError):
        return ""


@lru_cache(maxsize=4096)
def group_name(gid: int) -> str:
    """The name of a group on this computer, or empty."""
    try:
        return str(grp.getgrgid(gid).gr_name) if grp else ""
    except (KeyError, OverflowError):
        return ""


def my_ids() -> tuple[int, int]:
    """Numbers of the user and group who run this process; zeros where there are none."""
    return (os.getuid(), os.getgid()) if hasattr(os, "getuid") else (0, 0)


def my_name() -> str:
    """The name of the user who runs this process, or empty."""
    return user_name(my_ids()[0]) if pwd else windows.account(os.environ)


def gives_files_away() -> bool:
    """Whether this process may make others the owners of files."""
    return hasattr(os, "geteuid") and os.geteuid() == 0
