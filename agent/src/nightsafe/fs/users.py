"""Looks up users and groups, and who runs this process."""

import os
from functools import lru_cache
from typing import Any

from nightsafe.fs import windows
from nightsafe.fs.optional import optional

pwd: Any = optional("pwd")
grp: Any = optional("grp")


@lru_cache(maxsize=4096)
def user_name(uid: int) -> str:
    """Return the name of a user on this computer, or an empty string."""
    try:
        return str(pwd.getpwuid(uid).pw_name) if pwd else ""
    except (KeyError, OverflowError):
        return ""


@lru_cache(maxsize=4096)
def group_name(gid: int) -> str:
    """Return the name of a group on this computer, or an empty string."""
    try:
        return str(grp.getgrgid(gid).gr_name) if grp else ""
    except (KeyError, OverflowError):
        return ""


def my_ids() -> tuple[int, int]:
    """Return the user and group id of this process; zeros where there are none."""
    return (os.getuid(), os.getgid()) if hasattr(os, "getuid") else (0, 0)


def my_name() -> str:
    """Return the name of the user who runs this process, or an empty string."""
    return user_name(my_ids()[0]) if pwd else windows.account(os.environ)


def may_change_owners() -> bool:
    """Whether this process may change the owner of files."""
    return hasattr(os, "geteuid") and os.geteuid() == 0
