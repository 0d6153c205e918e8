"""Users without HOME and without an entry of their own, as in containers."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hardship.conftest import PASSPHRASE, give
from tests.support.hardship.ordinary import UID, Runner

HOMES = {
    "none": {},
    "empty": {"HOME": ""},
    "of another": {"HOME": "/root"},
    "nowhere": {"HOME": "/nonexistent"},
    "the root": {"HOME": "/"},
}


@pytest.fixture(scope="module", params=HOMES)
def runner(request: pytest.FixtureRequest) -> Iterator[Runner]:
    """What runs the agent as a user who has next to no environment from the start."""
    with Runner(HOMES[request.param]) as made:
        yield made


def run(
    runner: Runner, folder: Path, *arguments: str, **more: str
) -> "subprocess.CompletedProcess[bytes]":
    """Run the agent in a folder that may not be changed."""
    given = {"NIGHTSAFE_PASSWORD": PASSPHRASE, "TMPDIR": str(folder)}
    return runner.run(["-r", str(folder / "repository"), *arguments], given | more, cwd="/")


def own_entries(folder: str) -> set[str]:
    """Return what belongs in a folder to whoever runs the agent; others may make what they like."""
    user = UID if os.geteuid() == 0 else os.geteuid()
    with os.scandir(folder) as entries:
        return {one.name for one in entries if one.stat(follow_symlinks=False).st_uid == user}


def test_all_but_login_and_cache_work(runner: Runner, own_folder: Path) -> None:
    source = own_folder / "source"
    source.mkdir()
    (source / "file").write_text("content\n")
    give(own_folder)
    before = own_entries("/")
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
        done = run(runner, own_folder, *arguments)
        assert done.returncode == 0, (arguments, done.stderr)
    assert Path(f"{target}{source}/file").read_text() == "content\n"
    assert own_entries("/") == before


def test_a_server_is_asked_with_what_the_environment_says(runner: Runner, own_folder: Path) -> None:
    """Whatever is the matter with a login that is stored in somebody's home."""
    credential = {"NIGHTSAFE_USERNAME": "u", "NIGHTSAFE_SECRET": "s", "NIGHTSAFE_PATIENCE": "0"}
    url = ["-r", "http://127.0.0.1:9/restic/x/"]  # where nobody listens
    done = run(runner, own_folder, "snapshots", *url, **credential)
    assert "refuses the connection" in done.stderr.decode()
