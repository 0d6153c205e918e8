"""Objects of which no copy can be read for a while: nobody waits for them, or trusts in them."""

import os
import time
from pathlib import Path

import pytest
from nightsafe.backend.base import ObjectKind
from nightsafe.backend.rest import RestBackend
from nightsafe.errors import NoCopyError, RefusedError
from nightsafe.maintenance.prune import PruneOptions, prune
from nightsafe.repository.repository import Repository

from tests.support.agent.rest_server import RestServer
from tests.unit.agent.archiver.test_backup import names, run
from tests.unit.agent.archiver.test_backup_faults import forget_cache
from tests.unit.agent.backend.test_rest import CREDENTIAL, NAME
from tests.unit.agent.conftest import copy_vault, reopen
from tests.unit.agent.restorer.test_restore import bring_back


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Do not really wait between attempts."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    return slept


@pytest.fixture
def repository(server: RestServer, vault: Repository) -> Repository:
    return copy_vault(vault, RestBackend(server.url, CREDENTIAL))


def hide(server: RestServer, path: str) -> None:
    """As when the only region that has it so far is away."""
    server.fail(
        method="GET",
        path=path,
        status=503,
        text="No copy of this object can be read at this moment.",
        headers={"Nightsafe-Refusal": "damaged", "Retry-After": "60"},
        times=999,
    )


def test_it_is_said_within_seconds(
    repository: Repository, server: RestServer, pauses: list[float]
) -> None:
    hide(server, NAME)
    with pytest.raises(NoCopyError, match="it is not deleted"):
        repository.storage.load(ObjectKind.DATA, NAME)
    assert server.requests.count(("GET", f"data/{NAME}")) == 4
    assert sum(pauses) < 10
    with pytest.raises(NoCopyError):
        repository.storage.load(ObjectKind.DATA, NAME)
    assert server.requests.count(("GET", f"data/{NAME}")) == 5  # a folder's trees share a pack
    server.faults.clear()
    server.objects[f"data/{NAME}"] = b"it is back"
    assert repository.storage.load(ObjectKind.DATA, NAME) == b"it is back"


@pytest.mark.parametrize("kind", [ObjectKind.INDEX, ObjectKind.SNAPSHOT, ObjectKind.DATA])
def test_a_backup_goes_on_without_it(
    repository: Repository, server: RestServer, source: Path, tmp_path: Path, kind: ObjectKind
) -> None:
    run(repository, source)
    forget_cache()
    for name in names(repository, kind):
        hide(server, name)
    (source / "more").write_text("more")
    report = run(reopen(repository), source)
    assert report.is_complete
    assert report.issues
    if kind is ObjectKind.DATA:
        return  # what an index lists is taken to be there; the service says when it is lost
    again = reopen(repository)
    snapshot = next(s for s in again.load_snapshots().sound if s.id == report.snapshot_id)
    again.load_index()
    assert bring_back(again, snapshot, tmp_path / "target").is_complete
    restored = tmp_path / "target" / source.relative_to("/")
    assert sorted(os.listdir(restored)) == sorted(os.listdir(source))


def test_a_restore_brings_back_the_rest(
    repository: Repository, server: RestServer, source: Path, tmp_path: Path
) -> None:
    run(repository, source)
    before = names(repository, ObjectKind.DATA)
    (source / "more").write_text("more")
    run(repository, source)
    hidden = max(
        names(repository, ObjectKind.DATA) - before,
        key=lambda name: len(server.objects[f"data/{name}"]),
    )
    again = reopen(repository)
    snapshot = again.load_snapshots().sound[-1]
    again.load_index()
    hide(server, hidden)
    report = bring_back(again, snapshot, tmp_path / "target")
    assert not report.is_complete


def test_nothing_is_pruned_meanwhile(
    repository: Repository, server: RestServer, source: Path
) -> None:
    run(repository, source)
    for kind in (ObjectKind.INDEX, ObjectKind.SNAPSHOT):
        faults = len(server.faults)
        for name in names(repository, kind):
            hide(server, name)
        with pytest.raises(RefusedError):
            prune(reopen(repository), PruneOptions())
        del server.faults[faults:]
