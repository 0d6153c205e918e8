"""Cutting where stock restic cuts: its snapshots and the agent's share what files hold."""

import json
import random
import shutil
from pathlib import Path

import pytest
from nightsafe.archiver import archiver
from nightsafe.archiver.backup import BackupOptions
from nightsafe.backend.local import LocalBackend
from nightsafe.maintenance.check import check
from nightsafe.repofile.pack import BlobKind

from tests.interop.test_agent_local import Place, assert_restic_restores
from tests.support.agent.trees import fingerprint
from tests.support.programs import program

pytestmark = pytest.mark.interop


@pytest.fixture(autouse=True)
def _own_data_directory() -> None:
    """The agent knows nothing of the server, so there are no settings of it to replace."""


@pytest.fixture(params=[0, 2], ids=["alone", "two workers"])
def workers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Small files are cut by whoever reads them, large ones always by the parent."""
    monkeypatch.setattr(archiver, "INLINE_SECONDS", -1.0)
    return int(request.param)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A repository in a folder, beside which `first` and `second` stand."""
    program("restic")
    monkeypatch.setenv("NIGHTSAFE_CACHE_DIR", str(tmp_path / "agent-cache"))
    monkeypatch.chdir(tmp_path)
    folder = str(tmp_path / "repository")
    return Place(LocalBackend(folder), folder, tmp_path / "cache")


@pytest.fixture
def first(tmp_path: Path, chance: random.Random) -> Path:
    """Files of all sizes that are cut differently; named from the current folder."""
    words = [chance.randbytes(chance.randint(3, 12)).hex().encode() for _ in range(500)]
    text = b" ".join(chance.choices(words, k=1_000_000))
    contents = {
        "large": chance.randbytes(20 << 20) + text + bytes(4 << 20) + chance.randbytes(777),
        "never cut": b"\x01" * (17 << 20),
        "middle": chance.randbytes(3 << 20),
        "least": chance.randbytes(512 << 10),
        "a little more": chance.randbytes((512 << 10) + 1),
        "small": b"small",
        "empty": b"",
    }
    (tmp_path / "first").mkdir()
    for name, content in contents.items():
        (tmp_path / "first" / name).write_bytes(content)
    return Path("first")


@pytest.fixture
def second(first: Path, place: Place) -> Path:
    """The same files under another path, so that no snapshot's lists of blobs are of use."""
    return Path(shutil.copytree(first, "second"))


def init(place: Place, made_by: str) -> None:
    """Make a repository; only the agent's config says how it is cut."""
    if made_by == "restic":
        place.init_by_restic()
    else:
        place.init_by_agent()


def data_blobs(place: Place) -> int:
    repository = place.opened()
    assert repository.load_index() == []
    return repository.index.count(BlobKind.DATA)


def restic_backup(place: Place, path: Path) -> int:
    """Let restic back up a folder; returns how many data blobs it added."""
    summary = json.loads(place.restic("backup", "--json", str(path)).splitlines()[-1])
    return int(summary["data_blobs"])


@pytest.mark.parametrize("made_by", ["restic", "agent"])
def test_the_agent_shares_what_restic_stored(
    place: Place, first: Path, second: Path, workers: int, made_by: str, tmp_path: Path
) -> None:
    init(place, made_by)
    assert restic_backup(place, first) > 10
    before = data_blobs(place)
    options = BackupOptions(chunker="restic", workers=workers)
    report = place.agent_backup(second, options=options)
    assert report.count.new == 7
    assert data_blobs(place) == before
    assert_restic_restores(place, second, tmp_path / "by-restic")
    assert fingerprint(second) == fingerprint(first)
    assert check(place.opened(), read_data=True).errors == []


def test_restic_shares_what_the_agent_stored(
    place: Place, first: Path, second: Path, workers: int
) -> None:
    place.init_by_agent()
    place.agent_backup(first, options=BackupOptions(chunker="restic", workers=workers))
    assert data_blobs(place) > 10
    assert restic_backup(place, second) == 0
    assert "no errors were found" in place.restic("check", "--read-data")


def test_files_that_were_only_touched_add_nothing(place: Place, first: Path) -> None:
    place.init_by_agent()
    restic_backup(place, first)
    before = data_blobs(place)
    for path in first.iterdir():
        path.touch()
    report = place.agent_backup(first, options=BackupOptions(chunker="restic"))
    assert (report.count.changed, report.count.unchanged) == (7, 0)
    assert data_blobs(place) == before


def test_one_changed_byte_adds_little(place: Place, first: Path) -> None:
    """Cuts meet again behind the change, on top of what restic stored."""
    place.init_by_agent()
    restic_backup(place, first)
    before = data_blobs(place)
    with (first / "large").open("r+b") as file:
        file.seek(10 << 20)
        changed = file.read(1)[0] ^ 1
        file.seek(10 << 20)
        file.write(bytes([changed]))
    place.agent_backup(first, options=BackupOptions(chunker="restic"))
    assert 0 < data_blobs(place) - before <= 3


@pytest.mark.parametrize(("made_by", "chunker"), [("restic", ""), ("agent", ""), ("agent", "gear")])
def test_by_the_vaults_secret_the_data_is_stored_again(
    place: Place, first: Path, second: Path, made_by: str, chunker: str
) -> None:
    init(place, made_by)
    restic_backup(place, first)
    before = data_blobs(place)
    place.agent_backup(second, options=BackupOptions(chunker=chunker))
    assert data_blobs(place) - before > 10
