"""Users without HOME and without an entry of their own, as in containers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hardship.conftest import GID, PASSPHRASE, TEAM, UID, give

HOMES = {
    "none": {},
    "empty": {"HOME": ""},
    "of another": {"HOME": "/root"},
    "nowhere": {"HOME": "/nonexistent"},
    "the root": {"HOME": "/"},
}


def run(
    home: dict[str, str], folder: Path, *arguments: str, **more: str
) -> "subprocess.CompletedProcess[str]":
    """Run the agent with next to no environment, in a folder that may not be changed."""
    agent = [str(Path(sys.executable).with_name("nightsafe"))]
    if os.geteuid() == 0:
        agent = [sys.executable, "-m", "tests.hardship.ordinary", str(UID), str(GID), str(TEAM)]
    given = {"PYTHONPATH": str(Path.cwd()), "NIGHTSAFE_PASSWORD": PASSPHRASE, "TMPDIR": str(folder)}
    return subprocess.run(
        [*agent, "-r", str(folder / "repository"), *arguments],
        env=given | home | more,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("home", HOMES)
def test_all_but_login_and_cache_work(own_folder: Path, home: str) -> None:
    source = own_folder / "source"
    source.mkdir()
    (source / "file").write_text("content\n")
    give(own_folder)
    before = set(os.listdir("/"))
    target = str(own_folder / "restored")
    for arguments in (
        ["init"],
        ["backup", str(source)],
        ["backup", str(source)],
        ["snapshots"],
        ["ls", "latest"],
        ["check", "--read-data"],
        ["forget", "--keep-last", "1", "--yes", "--prune"],
        ["restore", "latest", "--target", target],
        ["unlock"],
    ):
        done = run(HOMES[home], own_folder, *arguments)
        assert done.returncode == 0, (arguments, done.stderr)
    assert Path(f"{target}{source}/file").read_text() == "content\n"
    assert set(os.listdir("/")) == before


@pytest.mark.parametrize("home", HOMES)
def test_a_server_is_asked_with_what_the_environment_says(own_folder: Path, home: str) -> None:
    """Whatever is the matter with a login that is stored in somebody's home."""
    credential = {"NIGHTSAFE_USERNAME": "u", "NIGHTSAFE_SECRET": "s", "NIGHTSAFE_PATIENCE": "0"}
    url = ["-r", "http://127.0.0.1:9/restic/x/"]  # where nobody listens
    done = run(HOMES[home], own_folder, "snapshots", *url, **credential)
    assert "refuses the connection" in done.stderr
