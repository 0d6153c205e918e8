"""Counts that went wrong are found, said and set right; the upgrade counts what is there."""

import importlib
import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db.models import F

from backup_service import clock
from storage import tasks
from storage.counters import recount
from storage.database import single_runner
from storage.models import ObjectCount, Recount, Vault
from storage.monitoring import figures, rules
from storage.replication.replicator import replicate_due
from tests.support.storage.counts import require_counted
from tests.unit.storage.conftest import Caller, some

pytestmark = pytest.mark.django_db


def spoil(vault: Vault) -> None:
    ObjectCount.objects.filter(vault=vault).update(objects_held=F("objects_held") + 2)


def run(*options: str) -> dict[str, Any]:
    said = StringIO()
    call_command("recount", "--json", *options, stdout=said)
    answer: dict[str, Any] = json.loads(said.getvalue())
    return answer


def test_the_command_says_what_differs_and_mends_when_told(backup: Caller, bob: Caller) -> None:
    backup.put(some())
    bob.put(some())
    assert run() == {"vaults": 2, "differed": 0, "mended": 0, "differences": []}
    spoil(backup.vault)
    answer = run()
    assert (answer["differed"], answer["mended"]) == (1, 0)
    (line,) = answer["differences"]
    assert (line["vault"], line["state"]) == (backup.vault.public_id, "live")
    assert (line["objects"], line["snapshots"], line["bytes"]) == (-2, 0, 0)
    assert run("--vault", bob.vault.public_id)["differed"] == 0
    assert run("--mend")["mended"] == 1
    assert run()["differed"] == 0
    require_counted()


def test_the_command_refuses_what_it_cannot_do() -> None:
    with pytest.raises(CommandError, match="There is no vault nonsense"):
        run("--vault", "nonsense")
    with single_runner.alone(recount.JOB), pytest.raises(CommandError, match="running already"):
        run("--mend")


def test_once_a_day_in_turns(backup: Caller, bob: Caller, caplog: pytest.LogCaptureFixture) -> None:
    backup.put(some())
    spoil(backup.vault)
    assert recount.recount_due(seconds=0) == 1
    assert recount.has_begun()
    assert "differed from its rows in 1 situations" in caplog.text
    tasks.recount()
    assert not recount.has_begun()
    assert Recount.objects.get().differed == 1
    spoil(backup.vault)
    assert recount.recount_due() == 0  # not on the same day
    with clock.travelled(timedelta(days=2)):
        assert recount.recount_due() == 1
    require_counted()


def test_an_alarm_until_a_recount_finds_nothing(backup: Caller) -> None:
    backup.put(some())
    spoil(backup.vault)

    def alarms() -> set[str]:
        return {alarm.key for alarm in rules.judge(figures.figures(clock.now()))}

    assert "counts" not in alarms()
    recount.recount_due()
    assert "counts" in alarms()
    with clock.travelled(timedelta(days=2)):
        recount.recount_due()
        assert "counts" not in alarms()


def test_rows_of_nothing_are_dropped(backup: Caller) -> None:
    backup.put(some())
    replicate_due()
    assert ObjectCount.objects.count() == 2
    assert recount.drop_empty() == 1
    assert ObjectCount.objects.get().objects_held == 1
    backup.put(some())
    require_counted()


def test_the_upgrade_counts_what_is_there(backup: Caller, maintain: Caller) -> None:
    for kind in ("data", "data", "index", "snapshots"):
        backup.put(some(), kind)
    replicate_due()
    maintain.delete(f"data/{backup.names('data')[0]}")
    backup.put(some())
    ObjectCount.objects.all().delete()
    migration = importlib.import_module("storage.migrations.0028_object_counts")
    migration.count_all(apps, None)
    require_counted()
