"""Run the agent as an ordinary user: `tests.hardship.ordinary UID GID GROUPS ARGUMENT ...`.

The checkout and its Python may lie where such a user cannot go, so everything is loaded before
root's rights are given up; from then on the process may do what that user may do, and no more.
"""

import encodings
import importlib
import multiprocessing
import os
import pkgutil
import sys

import nightsafe


def main() -> None:
    """Become that user and be the agent; the arguments are the agent's own."""
    uid, gid, groups, *arguments = sys.argv[1:]
    for package in (nightsafe, encodings, multiprocessing):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            _load(module.name)
    _load("multiprocessing.popen_fork")  # which a slow computer wants, for worker processes
    os.setgroups([int(group) for group in groups.split(",") if group])
    os.setgid(int(gid))
    os.setuid(int(uid))
    os.umask(0o022)
    sys.argv = ["nightsafe", *arguments]
    importlib.import_module("nightsafe.cli").command()


def _load(name: str) -> None:
    try:
        importlib.import_module(name)
    except ImportError:  # those of other systems
        if not name.startswith(("encodings.", "multiprocessing.", "nightsafe._")):
            raise


if __name__ == "__main__":
    main()
