"""`backup -x` where file systems lie over each other, as on live systems and routers.

Mounted in a namespace of its own, so that nothing stays mounted, whatever happens.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from nightsafe.repository.repository import Repository

from tests.support.disks import require_root
from tests.support.programs import leave_out
from tests.unit.agent.conftest import PASSPHRASE

AGENT = Path(sys.executable).with_name("nightsafe")
MOUNT = """
set -e
cd "$1"
mkdir -p lower upper top
mount -t tmpfs lower lower
mount -t tmpfs upper upper
mkdir -p lower/old/deep upper/files upper/work
echo 1 > lower/old/file
echo 2 > lower/old/deep/file
head -c 3000000 /dev/urandom > lower/old/large
layers=lowerdir=$PWD/lower,upperdir=$PWD/upper/files,workdir=$PWD/upper/work
mount -t overlay overlay -o $layers top
head -c 3000000 /dev/urandom > top/large
echo 3 > top/new
echo 4 > top/old/deep/new
mkdir top/mounted
mount -t tmpfs mounted top/mounted
mkdir top/mounted/folder
echo 5 > top/mounted/file
echo 6 > top/mounted/folder/file
"""
DEVICES = 'stat -c "%d" top top/old/deep top/new top/old/file'
BACKUP = 'exec "$2" backup -x "$3"'
KEPT = {
    "new",
    "large",
    "old",
    "old/large",
    "old/file",
    "old/deep",
    "old/deep/file",
    "old/deep/new",
    "mounted",
}


def mounted(place: Path, script: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """What comes of a script that runs in a namespace where the overlay is mounted."""
    command = ["unshare", "-m", "sh", "-c", MOUNT + script, "sh", str(place), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder in which it can be mounted."""
    (tmp_path / "place").mkdir()
    tried = mounted(tmp_path / "place", "")
    require_root("only root can mount an overlay")
    if tried.returncode != 0:
        leave_out(f"no overlay can be mounted here: {tried.stderr.strip()}")
    return tmp_path / "place"


@pytest.fixture(autouse=True)
def _vault(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSAFE_REPOSITORY", repository.storage.location)
    monkeypatch.setenv("NIGHTSAFE_PASSWORD", PASSPHRASE)


@pytest.mark.parametrize("source", ["top", "."])
def test_files_of_all_layers_are_one_file_system(place: Path, source: str) -> None:
    top, deep, new, old = mounted(place, DEVICES).stdout.split()
    assert top == deep
    assert len({top, new, old}) == 3, "layers have one number; this shows nothing"
    go = "cd top\n" if source == "." else ""
    done = mounted(place, go + BACKUP, str(AGENT), source)
    assert done.returncode == 0, done.stderr
    listed = subprocess.run(
        [str(AGENT), "ls", "--json", "latest"], capture_output=True, text=True, check=True
    )
    paths = {json.loads(line)["path"] for line in listed.stdout.splitlines()}
    lead = "/" if source == "." else "/top/"
    assert paths - {"/top"} == {lead + path for path in KEPT}
