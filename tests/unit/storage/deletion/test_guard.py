"""An older database and a wrong clock destroy nothing, until all regions were compared."""

import io
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from accounts.audit import SERVICE
from backup_service import clock
from storage import tasks
from storage.body import HashedBody
from storage.deletion import guard, journal, purge, sweep
from storage.deletion.guard import InDoubtError
from storage.integrity.reconcile import reconcile
from storage.models import (
    Attempt,
    Catalogue,
    JournalEntry,
    Lifetime,
    Region,
    StoredObject,
    Usage,
    Vault,
)
from storage.monitoring import alarms
from storage.regions import drain
from storage.replication.replicator import replicate_due
from storage.stores.filesystem.store import FilesystemStore
from storage.stores.registry import store_of
from storage.uploads import ingest
from storage.vaults.quota import FLOOR
from tests.support.storage import older
from tests.support.storage.older import passed
from tests.unit.storage.conftest import Caller, access_of, data_name, sha, some

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
MONTH = 31 * DAY


def keys() -> list[str]:
    return [str(key) for region in Region.objects.all() for key, _ in store_of(region).list_keys()]


def upkeep() -> None:
    """What beat asks the workers for, of all that destroys; some of it twice."""
    for task in (tasks.keep_marks, tasks.expire, tasks.sweep, tasks.tend_regions) * 2:
        task()


def store(who: Caller, content: bytes) -> None:
    assert who.put(content).status_code == 200
    replicate_due()


# --- An older database


@pytest.fixture
def lived(backup: Caller, maintain: Caller) -> dict[str, bytes]:
    """A database that was put back, and what customers did after the copy was made.

    `kept` was there all the time, `back` had been removed and came back, `new` came, `removed` and
    `purged` were there and went; `late` was under way and arrived.
    """
    contents = {name: some() for name in ("kept", "back", "new", "removed", "purged", "late")}
    for name in ("kept", "back", "removed", "purged"):
        store(backup, contents[name])
    maintain.delete(f"data/{sha(contents['back'])}")
    tasks.keep_marks()
    commit = _under_way(backup, contents["late"])
    copied = older.copy()
    commit()
    store(backup, contents["back"])
    store(backup, contents["new"])
    maintain.delete(f"data/{sha(contents['removed'])}")
    maintain.delete(f"data/{sha(contents['purged'])}")
    StoredObject.objects.filter(name=sha(contents["purged"])).update(
        tombstoned_at=clock.now() - MONTH
    )
    purge.purge()
    sweep.sweep(doomed_before=clock.now() + MONTH)
    tasks.keep_marks()
    older.put_back(copied)
    return contents


def _under_way(who: Caller, content: bytes) -> Callable[[], object]:
    """Begin an upload, send its bytes, and return what commits it."""
    access, name = access_of(who), data_name(content)
    region = Region.objects.order_by("priority")[0]
    attempt = ingest.begin(access, name, region=region, size=len(content))
    body = HashedBody(io.BytesIO(content), size=len(content), sha256=sha(content))
    store_of(region).put(attempt.key, body, len(content))
    return lambda: ingest.record(access, name, attempt=attempt, body=body)


def test_an_older_database_destroys_nothing(lived: dict[str, bytes]) -> None:
    before = sorted(keys())
    with passed(MONTH):
        upkeep()
    assert sorted(keys()) == before
    assert Attempt.objects.filter(state="doomed").count() == 0
    assert StoredObject.objects.filter(state="tombstoned").count() == 1
    assert Catalogue.objects.get().doubt == "restored"
    [alarm] = [one for one in alarms.present() if one.key == "doubt"]
    assert "restored" in alarm.text


@pytest.mark.parametrize("act", ["purge", "now", "sweep", "drain"])
def test_every_way_to_destroy_refuses_then(lived: dict[str, bytes], act: str) -> None:
    tasks.keep_marks()
    acts: dict[str, Callable[[], object]] = {
        "purge": lambda: call_command("purge"),
        "now": lambda: call_command("purge", "--now", "--yes"),
        "sweep": sweep.sweep,
        "drain": drain.drain_due,
    }
    with pytest.raises((InDoubtError, CommandError), match="reconcile"):
        acts[act]()


def test_after_a_reconciliation_all_that_was_acknowledged_is_there(
    lived: dict[str, bytes], backup: Caller, vault: Vault
) -> None:
    epoch = Vault.objects.get(pk=vault.pk).epoch
    tasks.keep_marks()
    report = reconcile(SERVICE)
    assert report.complete
    assert Catalogue.objects.get().doubt == ""
    for name in ("kept", "back", "new", "late", "removed"):
        assert backup.fetch(f"data/{sha(lived[name])}") == lived[name]
    for days in (0, 1, 31, 62):
        with passed(days * DAY):
            upkeep()
    for name in ("kept", "back", "new", "late", "removed"):
        assert backup.fetch(f"data/{sha(lived[name])}") == lived[name]
    assert backup.get(f"data/{sha(lived['purged'])}").status_code == 404
    assert not StoredObject.objects.exclude(state="live").exists()
    assert Usage.objects.get(account=vault.account).live_bytes == 5 * FLOOR
    assert Vault.objects.get(pk=vault.pk).epoch > epoch  # agents drop what they cached
    assert Lifetime.objects.filter(to_sequence=None).count() == 5
    assert not any(one.key in ("doubt", "lost") for one in alarms.present())


def test_what_it_calls_removed_is_kept_for_a_whole_grace_again(
    backup: Caller, maintain: Caller
) -> None:
    content = some()
    store(backup, content)
    tasks.keep_marks()
    maintain.delete(f"data/{sha(content)}")
    copied = older.copy()
    tasks.keep_marks()
    older.put_back(copied)
    with passed(MONTH):
        tasks.keep_marks()
        reconcile(SERVICE)
        upkeep()
        assert StoredObject.objects.get().state == "tombstoned"
        assert len(keys()) == 2
    with passed(2 * MONTH):
        upkeep()
    with passed(2 * MONTH + DAY):
        upkeep()
    assert keys() == []


def test_numbers_of_the_time_that_is_lost_are_not_given_twice(
    lived: dict[str, bytes], backup: Caller, vault: Vault
) -> None:
    entries = {(one.vault, one.sequence) for one in guard.missed()}
    tasks.keep_marks()
    reconcile(SERVICE)
    newest = max(number for _, number in entries)
    assert Vault.objects.get(pk=vault.pk).sequence >= newest
    assert JournalEntry.objects.filter(sequence=newest).count() == 1


def test_a_region_that_cannot_be_asked_keeps_the_doubt(
    lived: dict[str, bytes], tmp_path: Path
) -> None:
    tasks.keep_marks()
    (tmp_path / "region-b").rename(tmp_path / "unmounted")
    with pytest.raises(CommandError, match="mounted"):
        call_command("reconcile")
    assert Catalogue.objects.get().doubt == "restored"
    (tmp_path / "unmounted").rename(tmp_path / "region-b")
    call_command("reconcile")
    assert Catalogue.objects.get().doubt == ""


def test_bytes_that_are_not_what_they_are_called_become_nothing(
    lived: dict[str, bytes], backup: Caller
) -> None:
    new = [path for path in _files() if sha(lived["new"]) in path.name]
    for path in new:
        path.write_bytes(b"x" * 1000)
    tasks.keep_marks()
    report = reconcile(SERVICE)
    assert len(report.unknown) == len(new) == 2
    assert all(path.exists() for path in new)
    assert backup.get(f"data/{sha(lived['new'])}").status_code == 404


def _files() -> list[Path]:
    stores = [store_of(region) for region in Region.objects.all()]
    roots = [store.root for store in stores if isinstance(store, FilesystemStore)]
    return [path for root in roots for path in root.rglob("*") if path.is_file()]


def _mark(region: Region) -> int:
    note = store_of(region).read_note("mark")
    assert note is not None
    return int(json.loads(note)["mark"])


# --- Marks


def test_marks_grow_and_stand_in_every_region(regions: list[Region]) -> None:
    for number in (1, 2):
        tasks.keep_marks()
        assert [_mark(region) for region in regions] == [number, number]


def test_the_database_that_wrote_them_trusts_itself(regions: list[Region]) -> None:
    tasks.keep_marks()
    guard.require_trust(everywhere=True)
    tasks.keep_marks()
    guard.require_trust(everywhere=True)


def test_a_region_that_is_away_holds_the_purge_and_all_of_them_the_sweep(
    regions: list[Region], tmp_path: Path
) -> None:
    tasks.keep_marks()
    (tmp_path / "region-b").rename(tmp_path / "unmounted-b")
    with pytest.raises(InDoubtError, match="b"):
        guard.require_trust(everywhere=True)
    guard.require_trust()
    (tmp_path / "region-a").rename(tmp_path / "unmounted-a")
    with pytest.raises(InDoubtError):
        guard.require_trust()
    assert Catalogue.objects.get().doubt == ""


def test_a_region_that_was_away_or_is_new_is_no_doubt(
    regions: list[Region], tmp_path: Path
) -> None:
    tasks.keep_marks()
    (tmp_path / "region-b").rename(tmp_path / "unmounted")
    for _ in range(3):
        tasks.keep_marks()
    (tmp_path / "unmounted").rename(tmp_path / "region-b")
    guard.require_trust(everywhere=True)
    tasks.keep_marks()
    assert _mark(regions[1]) == 5


def test_a_mark_that_cannot_be_read_is_none(regions: list[Region]) -> None:
    store_of(regions[0]).write_note("mark", b"?")
    with pytest.raises(InDoubtError):
        guard.require_trust(everywhere=True)
    tasks.keep_marks()
    guard.require_trust(everywhere=True)


def test_the_journal_lies_in_every_region(
    backup: Caller, maintain: Caller, regions: list[Region]
) -> None:
    contents = [some() for _ in range(3)]
    for content in contents:
        store(backup, content)
        maintain.delete(f"data/{sha(content)}")
    tasks.keep_marks()
    backup.put(contents[0])
    tasks.keep_marks()
    for region in regions:
        last = journal.last_words(journal.read(store_of(region), 0))
        kinds = {name: entry.kind for (_, _, name), entry in last.items()}
        assert kinds == {
            sha(contents[0]): "undelete",
            sha(contents[1]): "tombstone",
            sha(contents[2]): "tombstone",
        }


def test_what_is_in_the_journal_is_written_once(
    backup: Caller, maintain: Caller, regions: list[Region]
) -> None:
    content = some()
    store(backup, content)
    maintain.delete(f"data/{sha(content)}")
    JournalEntry.objects.update(at=clock.now() - DAY)
    for _ in range(3):
        tasks.keep_marks()
    assert [len(store_of(region).list_notes("journal")) for region in regions] == [1, 1]
