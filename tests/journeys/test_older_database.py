"""The database is restored from a copy of before: nothing that was acknowledged since is lost."""

import json
import shutil
from pathlib import Path

import pytest

from tests.interop.conftest import Restic
from tests.journeys.conftest import StartService
from tests.journeys.test_all_at_once import customers
from tests.journeys.test_faults import settle
from tests.support.journeys.service import Service

pytestmark = [pytest.mark.journey, pytest.mark.rehearsal]
KEEP_MARKS = "from storage.deletion import guard; guard.keep_marks()"


def mark(service: Service) -> None:
    """Have the marks written that a worker writes every minute."""
    settle(service)
    service.manage("shell", "-v0", "-c", KEEP_MARKS)


def database(service: Service, *, to: Path | None = None, back: Path | None = None) -> None:
    """Copy the files of a stopped service's database, or put them back."""
    here = service.data_dir
    if to is not None:
        to.mkdir()
        for file in here.glob("nightsafe.sqlite3*"):
            shutil.copy2(file, to)
    if back is not None:
        for file in here.glob("nightsafe.sqlite3*"):
            file.unlink()
        for file in back.iterdir():
            shutil.copy2(file, here)


def test_what_was_stored_since_is_there_after_a_reconciliation(
    own_service: StartService, tmp_path: Path
) -> None:
    service = own_service().start()
    everybody = list(customers(service, tmp_path))
    for one in everybody:
        one.back_up()
    mark(service)
    service.stop()
    database(service, to=tmp_path / "older")

    service.start()
    for one in everybody:
        one.back_up()
        one.back_up()
    mark(service)
    service.stop()
    database(service, back=tmp_path / "older")

    service.start()
    refusal = service.manage("purge", check=False)
    assert "reconcile" in refusal
    alarms = json.loads(service.manage("alarms", "--json", check=False))["alarms"]
    assert "doubt" in {alarm["key"] for alarm in alarms}
    report = service.manage("reconcile", "--json")
    assert report["complete"]
    assert report["adopted"] > 6  # packs, index and snapshots of two backups each
    assert report["unknown"] == []
    assert service.manage("purge", "--json")["purged"] == 0

    for one in everybody:
        one.back_up()
        assert len(one.saved) == 4
        for number, snapshot in enumerate(one.saved):
            one.require_restored(snapshot, tmp_path / "restored" / one.vault / str(number))
        if isinstance(one.client, Restic):
            one.client.run("check", "--read-data")
