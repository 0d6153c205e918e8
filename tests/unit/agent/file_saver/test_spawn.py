"""Workers that begin anew, as where a process cannot fork: the same backups."""

import multiprocessing
import os
from pathlib import Path

import pytest
from nightsafe.archiver import archiver
from nightsafe.backend.base import ObjectKind
from nightsafe.backend.local import LocalBackend
from nightsafe.backend.rest import RestBackend
from nightsafe.errors import QuotaError
from nightsafe.file_restorer import dispatcher
from nightsafe.file_saver.blob_set import BlobSet
from nightsafe.filters.exclude import Excluder, ExcludeRules
from nightsafe.maintenance import check as check_module
from nightsafe.maintenance.check import check
from nightsafe.repository.repository import Repository
from nightsafe.restorer.options import RestoreOptions
from nightsafe.restorer.restore import restore
from nightsafe.workers import process as processes

from tests.support.agent.rest_server import RestServer, connect_string
from tests.support.agent.trees import fingerprint, make_mixed_tree
from tests.unit.agent.archiver.test_backup import names, run, stored
from tests.unit.agent.conftest import copy_vault, reopen
from tests.unit.agent.restorer.test_restore import back_up


@pytest.fixture(autouse=True)
def _spawned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "START_METHOD", "spawn")
    monkeypatch.setattr(archiver, "INLINE_SECONDS", -1.0)


def test_the_same_tree(
    repository: Repository, vault: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = Path("mixed")
    make_mixed_tree(source)
    (source / "larger.bin").write_bytes(os.urandom(9_000_000))
    (source / "left-out").write_text("no")
    wants = Excluder(ExcludeRules(patterns=("left-*",)), [os.fsencode(source)])
    alone = run(repository, source, workers=0, wants=wants)
    other = copy_vault(vault, LocalBackend(str(tmp_path / "other")))
    several = run(other, source, workers=2, wants=wants)
    assert several.tree_id == alone.tree_id
    assert several.count.bytes == alone.count.bytes
    assert b"/mixed/left-out" not in stored(other)
    assert check(reopen(other), read_data=True).errors == []
    assert multiprocessing.active_children() == []


def test_to_a_server_and_on_after_an_error(
    vault: Repository, server: RestServer, tmp_path: Path
) -> None:
    """What arrived before the error is in the journal, which the workers wrote to as well."""
    source = tmp_path / "source"
    source.mkdir()
    for number in range(60):
        (source / f"{number:02}").write_bytes(os.urandom(700_000))
    storage = RestBackend(connect_string(server).removeprefix("rest:"), patience=5)
    repository = copy_vault(vault, storage)
    server.fail(method="POST", path="index/", status=507, times=99)
    with pytest.raises(QuotaError):
        run(repository, source, workers=2)
    arrived = names(repository, ObjectKind.DATA)
    assert len(arrived) > 1
    server.faults.clear()
    assert run(reopen(repository), source, workers=2).is_complete
    assert arrived <= names(repository, ObjectKind.DATA)
    assert len(names(repository, ObjectKind.DATA)) <= len(arrived) + 3, "nothing was sent again"
    assert check(reopen(repository), read_data=True).errors == []


def test_a_restore_and_a_check_with_workers(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "IN_PROCESS_PIECES", -1)
    monkeypatch.setattr(check_module, "IN_PROCESS_PACKS", 0)
    source, target = tmp_path / "mixed", tmp_path / "target"
    make_mixed_tree(source)
    snapshot = back_up(repository, source)
    report = restore(
        reopen(repository), snapshot, os.fsencode(target), options=RestoreOptions(workers=2)
    )
    assert report.issues == []
    assert fingerprint(Path(f"{target}{source}")) == fingerprint(source)
    found = check(reopen(repository), read_data=True, workers=2)
    assert found.errors == []
    assert found.packs_read > 0
    assert multiprocessing.active_children() == []


def claim(known: BlobSet, blob_id: bytes) -> None:
    raise SystemExit(0 if known.claim(blob_id) and bytes(32) in known else 1)


def test_known_blobs_are_shared() -> None:
    known = BlobSet()
    known.claim(bytes(32))
    theirs = bytes(31) + b"x"
    process = multiprocessing.get_context("spawn").Process(target=claim, args=(known, theirs))
    process.start()
    process.join()
    assert process.exitcode == 0
    assert theirs in known
    known.close()
