"""Restores by an ordinary user with a second group: nobody may read more than in the source."""

import os
import stat
from pathlib import Path

import pytest

from tests.hardship.conftest import GID, TEAM, UID, OrdinaryAgent, give

COLLEAGUES, FOREIGN = 61_300, 61_301  # groups that the user is not in
MODES = (0o640, 0o660, 0o644, 0o604, 0o600, 0o750, 0o2755)

# A right of whoever runs the tests, which CI has; nothing that could be installed is missing.
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files of other groups")


@pytest.fixture
def source(own_folder: Path) -> Path:
    """Files and folders of the user's own groups and of a foreign one, in each mode."""
    top = own_folder / "source"
    top.mkdir()
    for gid in (GID, TEAM, FOREIGN):
        folder = top / f"team-{gid}"
        folder.mkdir()
        for mode in MODES:
            for size in (10, 200_000):
                path = folder / f"{mode:o}-{size}"
                path.write_bytes(os.urandom(size))
        os.link(folder / "640-10", folder / "linked")
        os.mkfifo(folder / "fifo")
        give(folder, gid)
        for path in folder.iterdir():
            path.chmod(int(path.name.split("-")[0], 8) if path.name[0].isdigit() else 0o640)
        (folder / "linked").chmod(0o640)
        folder.chmod(0o2770)
    os.chown(top, UID, GID)
    return top


@pytest.fixture
def shared(own_folder: Path) -> Path:
    """A folder of the user's whose entries come to belong to colleagues."""
    made = own_folder / "shared"
    made.mkdir()
    os.chown(made, UID, COLLEAGUES)
    made.chmod(0o2777)
    return made


def who_may_read(path: Path) -> tuple[set[int], bool]:
    """Of which groups the members may read a file, and whether everybody else may."""
    status = path.stat()
    groups = {status.st_gid} if status.st_mode & stat.S_IRGRP else set()
    return groups, bool(status.st_mode & stat.S_IROTH)


def test_nobody_can_read_more(ordinary: OrdinaryAgent, source: Path, shared: Path) -> None:
    ordinary.run("backup", str(source))
    said = ordinary.run("restore", f"latest:{source}", "--target", str(shared))
    for path in source.rglob("*"):
        restored = shared / path.relative_to(source)
        wanted, found = path.stat(), restored.stat()
        groups, everybody = who_may_read(path)
        groups_now, everybody_now = who_may_read(restored)
        assert everybody_now <= everybody, path
        assert groups_now <= groups or everybody, path
        if wanted.st_gid in (GID, TEAM):
            assert found.st_gid == wanted.st_gid
            assert found.st_mode == wanted.st_mode
            assert f"{path.relative_to(source)}: could not" not in said
        else:
            assert found.st_gid == COLLEAGUES or restored.parent != shared
            assert everybody_now <= bool(groups), "some of everybody are of that group"
            assert (found.st_mode >> 3 & 7) == (found.st_mode & 7)
            if wanted.st_mode >> 3 & 7 != wanted.st_mode & 7 and path.name != "linked":
                assert f"{path.relative_to(source)}: could not set its group" in said


def test_a_restore_over_what_is_there_keeps_nobody_in(
    ordinary: OrdinaryAgent, source: Path, shared: Path
) -> None:
    ordinary.run("backup", str(source))
    ordinary.run("restore", f"latest:{source}", "--target", str(shared))
    for path in shared.rglob("*"):
        path.chmod(0o777)
    ordinary.run("restore", f"latest:{source}", "--target", str(shared))
    for path in source.rglob("*"):
        groups, everybody = who_may_read(path)
        groups_now, everybody_now = who_may_read(shared / path.relative_to(source))
        assert groups_now <= groups or everybody
        assert everybody_now <= everybody
