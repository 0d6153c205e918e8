"""Tombstone, grace, purge, sweep; and an upload of the same object at every moment of it."""

import io
import itertools
import os
import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from backup_service import clock
from storage.body import HashedBody
from storage.deletion import purge, sweep
from storage.models import Attempt, JournalEntry, Region, StoredObject, Usage, Vault
from storage.replication.replicator import replicate_due
from storage.stores.registry import store_of
from storage.uploads import ingest
from storage.vaults.access import Access
from storage.vaults.quota import FLOOR
from tests.unit.storage.conftest import Caller, access_of, data_name, sha, some

pytestmark = pytest.mark.django_db

LATER = timedelta(days=400)


def keys() -> list[str]:
    return [str(key) for region in Region.objects.all() for key, _ in store_of(region).list_keys()]


@pytest.fixture
def gone(backup: Caller, maintain: Caller) -> bytes:
    """An object with two replicas that was deleted just now."""
    content = some()
    delete(content, backup, maintain)
    return content


def delete(content: bytes, backup: Caller, maintain: Caller) -> None:
    """Store an object, have it copied, and delete it."""
    backup.put(content)
    replicate_due()
    maintain.delete(f"data/{sha(content)}")


def test_nothing_goes_during_the_grace(gone: bytes) -> None:
    assert purge.purge() == 0
    with clock.travelled(timedelta(days=29, hours=23)):
        assert purge.purge() == 0
    assert len(keys()) == 2


def test_everything_goes_after_it(gone: bytes, vault: Vault) -> None:
    with clock.travelled(timedelta(days=30, minutes=1)):
        assert purge.purge() == 1
    assert len(keys()) == 2
    with clock.travelled(timedelta(days=31)):
        assert sweep.sweep() == 2
    assert keys() == []
    assert not StoredObject.objects.exists()
    assert not Attempt.objects.exists()
    usage = Usage.objects.get(account=vault.account)
    assert (usage.live_bytes, usage.tombstoned_bytes, usage.reserved_bytes) == (0, 0, 0)
    entry = JournalEntry.objects.get(kind="purge")
    assert len(entry.attempts) == 2


def test_a_region_that_is_away_keeps_its_doomed_bytes_on_the_list(
    gone: bytes, tmp_path: Path
) -> None:
    purge.purge(grace_ended_before=clock.now())
    (tmp_path / "region-b").rename(tmp_path / "unmounted")
    assert sweep.sweep(doomed_before=clock.now() + LATER) == 1
    assert Attempt.objects.filter(state="doomed").count() == 1
    (tmp_path / "unmounted").rename(tmp_path / "region-b")
    assert sweep.sweep(doomed_before=clock.now() + LATER) == 1
    assert keys() == []


def test_an_interrupted_purge_is_finished(gone: bytes) -> None:
    obj = StoredObject.objects.get()
    purge.begin(obj.pk, clock.now())
    assert StoredObject.objects.get().state == "purging"
    purge.purge(grace_ended_before=clock.now())
    assert not StoredObject.objects.exists()


# --- Deletion against upload, in every order of their steps


class Upload:
    """One client's upload of an object, in its two steps."""

    def __init__(self, access: Access, content: bytes) -> None:
        self.access, self.content, self.name = access, content, data_name(content)

    def send(self) -> None:
        region = Region.objects.order_by("priority")[0]
        self.attempt = ingest.begin(self.access, self.name, region=region, size=1000)
        self.body = HashedBody(io.BytesIO(self.content), size=1000, sha256=sha(self.content))
        store_of(region).put(self.attempt.key, self.body, 1000)

    def commit(self) -> None:
        ingest.record(self.access, self.name, attempt=self.attempt, body=self.body)


def purge_steps(pk: int) -> list[Callable[[], object]]:
    return [
        lambda: purge.begin(pk, clock.now()),
        lambda: sweep.sweep(doomed_before=clock.now() + LATER),
        lambda: purge.finish(pk) if StoredObject.objects.filter(pk=pk).exists() else None,
        lambda: sweep.sweep(doomed_before=clock.now() + LATER),
    ]


def orders(*lengths: int) -> list[tuple[int, ...]]:
    """Every way to interleave actors with so many steps each."""
    labels = [actor for actor, length in enumerate(lengths) for _ in range(length)]
    return sorted(set(itertools.permutations(labels)))


@pytest.mark.parametrize("order", orders(4, 2), ids=lambda order: "".join(map(str, order)))
def test_an_acknowledged_upload_survives_every_purge(
    backup: Caller, gone: bytes, vault: Vault, order: tuple[int, ...]
) -> None:
    obj = backup.stored_object(gone)
    upload = Upload(access_of(backup), gone)
    actors = [iter(purge_steps(obj.pk)), iter([upload.send, upload.commit])]
    for actor in order:
        next(actors[actor])()
    sweep.sweep(doomed_before=clock.now() + LATER)
    assert backup.fetch(f"data/{sha(gone)}") == gone
    replicate_due()
    sweep.sweep(doomed_before=clock.now() + LATER)
    assert len(keys()) == 2
    assert backup.stored_object(gone).lifetimes.filter(to_sequence=None).count() == 1
    usage = Usage.objects.get(account=vault.account)
    assert (usage.live_bytes, usage.tombstoned_bytes, usage.reserved_bytes) == (FLOOR, 0, 0)


def test_two_uploads_and_a_purge(
    backup: Caller, maintain: Caller, vault: Vault, chance: random.Random
) -> None:
    """Orders that are drawn anew in each run; `python -m tests.soak.orders` walks every one."""
    every = orders(3, 2, 2)
    for order in every if os.environ.get("NIGHTSAFE_EVERY_ORDER") else chance.sample(every, 20):
        walk(order, backup, maintain, vault)


def walk(order: tuple[int, ...], backup: Caller, maintain: Caller, vault: Vault) -> None:
    content = some()
    delete(content, backup, maintain)
    obj = backup.stored_object(content)
    uploads = [Upload(access_of(caller), content) for caller in (backup, maintain)]
    actors = [
        iter(purge_steps(obj.pk)[:3]),
        *(iter([upload.send, upload.commit]) for upload in uploads),
    ]
    for actor in order:
        next(actors[actor])()
    sweep.sweep(doomed_before=clock.now() + LATER)
    name = f"data/{sha(content)}"
    assert backup.fetch(name) == content, order
    assert figures(vault) == (FLOOR, 0, 0), order
    maintain.delete(name)
    purge.purge(grace_ended_before=clock.now())
    sweep.sweep(doomed_before=clock.now() + LATER)
    assert (keys(), figures(vault)) == ([], (0, 0, 0)), order


def figures(vault: Vault) -> tuple[int, int, int]:
    usage = Usage.objects.get(account=vault.account)
    return usage.live_bytes, usage.tombstoned_bytes, usage.reserved_bytes
