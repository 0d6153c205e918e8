"""Checking stored bytes in part, and with worker processes."""

import os
from pathlib import Path

import pytest
from nightsafe.archiver.backup import backup
from nightsafe.backend.base import ObjectKind
from nightsafe.cli import main
from nightsafe.errors import UsageError
from nightsafe.maintenance import check as check_module
from nightsafe.maintenance.check import check
from nightsafe.maintenance.read_subset import Subset
from nightsafe.repository.repository import Repository

from tests.unit.agent.conftest import PASSPHRASE, reopen

PACKS = [(bytes([number]) * 32, 100) for number in range(200)]


@pytest.mark.parametrize("parts", [1, 3, 7, 256])
def test_all_parts_together_are_everything(parts: int) -> None:
    chosen = [Subset.parse(f"{n}/{parts}").choose(PACKS) for n in range(1, parts + 1)]
    assert sorted(pack for part in chosen for pack in part) == [pack for pack, _ in PACKS]


@pytest.mark.parametrize(
    ("text", "count"), [("10%", 20), ("100%", 200), ("0.1%", 1), ("1000", 10), ("1K", 11)]
)
def test_shares_and_sizes(text: str, count: int) -> None:
    chosen = Subset.parse(text).choose(PACKS)
    assert len(set(chosen)) == len(chosen) == count


def test_of_nothing_nothing_is_chosen() -> None:
    assert Subset.parse("50%").choose([]) == []


@pytest.mark.parametrize("text", ["0/3", "4/3", "1/257", "0%", "101%", "x%", "", "some", "1/0"])
def test_nonsense_is_no_part(text: str) -> None:
    with pytest.raises(UsageError):
        Subset.parse(text)


@pytest.fixture(params=[0, 2])
def workers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(check_module, "IN_PROCESS_PACKS", 0)
    return int(request.param)


@pytest.fixture
def packs(repository: Repository, source: Path) -> list[Path]:
    """A repository of some packs."""
    for _ in range(3):
        (source / "changing").write_bytes(os.urandom(50_000))
        backup(reopen(repository), [os.fsencode(source)])
    return sorted(Path(repository.storage.location, "data").glob("*/*"))


def test_a_sound_repository(repository: Repository, packs: list[Path], workers: int) -> None:
    report = check(reopen(repository), read_data=True, workers=workers)
    assert report.errors == []
    assert report.packs_read == len(packs)
    assert report.bytes_read == sum(path.stat().st_size for path in packs)


def test_a_damaged_pack_is_named(repository: Repository, packs: list[Path], workers: int) -> None:
    data = bytearray(packs[0].read_bytes())
    data[-10] ^= 1
    packs[0].chmod(0o600)
    packs[0].write_bytes(data)
    report = check(reopen(repository), read_data=True, workers=workers)
    assert any(packs[0].name[:8] in error for error in report.errors)
    assert report.packs_read == len(packs)


def test_only_a_part_is_read(
    repository: Repository,
    packs: list[Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("NIGHTSAFE_PASSWORD", PASSPHRASE)
    monkeypatch.setenv("NIGHTSAFE_REPOSITORY", repository.storage.location)
    assert main(["check", "--read-data-subset", "1"]) == 0
    assert " 1 read (" in capsys.readouterr().out
    assert main(["check", "--read-data-subset", "most"]) == 1
    assert len(list(repository.storage.list(ObjectKind.LOCK))) == 0
