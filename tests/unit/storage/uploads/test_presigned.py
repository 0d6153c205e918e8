"""Direct transfers against a real SeaweedFS: what was put becomes an object, and is charged."""

import pytest
from pytest_django import Settings

from storage.models import Attempt, Replica, StoredObject
from storage.objects import placement
from storage.stores.registry import store_of
from storage.vaults.quota import FLOOR
from tests.support.storage.presigned import (
    announce,
    booked,
    call,
    commit,
    entry,
    put,
    read,
    regions,
)
from tests.support.stores.proxy import FaultyProxy
from tests.unit.storage.conftest import Caller, sealed, sha, some

__all__ = ["regions"]
pytestmark = pytest.mark.django_db


def test_what_was_put_is_an_object_like_any_other(backup: Caller) -> None:
    contents = [some(1000), some(60_000), b""]
    offers = announce(backup, *contents)
    assert booked(backup.vault) == (0, 60_000 + 2 * FLOOR)
    assert [put(*pair) for pair in zip(offers, contents, strict=True)] == [200] * 3
    assert commit(backup, *[offer["attempt"] for offer in offers]) == ["stored"] * 3
    assert booked(backup.vault) == (60_000 + 2 * FLOOR, 0)
    for content in contents:
        assert backup.fetch(f"data/{sha(content)}") == content
    obj = backup.stored_object(contents[0])
    states = dict(obj.replicas.values_list("region__alias", "state"))
    assert states == {"a": "stored", "b": "pending"}
    assert obj.created_by == backup.credential
    numbers = StoredObject.objects.order_by("sequence").values_list("sequence", flat=True)
    assert list(numbers) == [1, 2, 3]
    assert obj.lifetimes.get().from_sequence == obj.sequence
    backup.vault.refresh_from_db()
    assert backup.vault.sequence == 3


def test_index_files_too_and_everything_else_through_the_gateway(backup: Caller) -> None:
    offer = announce(backup, sealed(b"index"), kind="index")[0]
    assert put(offer, sealed(b"index")) == 200
    assert commit(backup, offer["attempt"]) == ["stored"]
    assert backup.names("index") == [sha(sealed(b"index"))]
    for kind in ("snapshots", "keys", "locks"):
        assert announce(backup, some(), kind=kind)[0]["status"] == "gateway"


def test_an_index_file_waits_for_the_packs_of_its_batch(backup: Caller) -> None:
    pack, other = some(), some()
    offers = announce(backup, pack, other)
    index = announce(backup, sealed(b"index"), kind="index")[0]
    put(index, sealed(b"index"))
    put(offers[0], pack)
    ids = [index["attempt"], *[one["attempt"] for one in offers]]
    assert commit(backup, *ids) == ["busy", "stored", "missing"]
    assert commit(backup, ids[0], "a" * 32) == ["busy", "unknown"]
    assert backup.names("index") == []
    put(offers[1], other)
    assert commit(backup, *ids) == ["stored"] * 3
    assert backup.names("index") == [sha(sealed(b"index"))]


def test_what_is_there_is_not_sent_again(backup: Caller) -> None:
    content = some()
    backup.put(content)
    assert announce(backup, content) == [{"status": "there"}]
    status, answer = call(backup, "uploads", {"objects": [{**entry(content), "size": 5}]})
    assert (status, answer["objects"][0]["status"]) == (200, "refused")
    assert answer["objects"][0]["code"] == "bad-request"


def test_a_deleted_object_comes_back(backup: Caller, maintain: Caller) -> None:
    content = some()
    backup.put(content)
    obj = backup.stored_object(content)
    maintain.delete(f"data/{sha(content)}")
    offer = announce(backup, content)[0]
    assert put(offer, content) == 200
    assert commit(backup, offer["attempt"]) == ["stored"]
    assert backup.state_of(obj) == "live"
    assert booked(backup.vault) == (FLOOR, FLOOR)  # what came lies beside what was there


def test_a_lost_object_is_wanted_and_healed(backup: Caller) -> None:
    content = some()
    backup.put(content)
    obj = backup.stored_object(content)
    attempt = obj.replicas.get(region__alias="a").attempt
    assert attempt is not None
    store_of(attempt.region).delete(attempt.key)
    obj.replicas.update(state=Replica.State.MISSING)
    StoredObject.objects.update(state=StoredObject.State.LOST)
    offer = announce(backup, content)[0]
    assert put(offer, content) == 200
    assert commit(backup, offer["attempt"]) == ["stored"]
    assert backup.state_of(obj) == "live"
    assert backup.fetch(f"data/{sha(content)}") == content


def test_asking_again_holds_nothing_twice(backup: Caller) -> None:
    content = some()
    first, again = announce(backup, content)[0], announce(backup, content, content)
    assert {one["attempt"] for one in again} == {first["attempt"]}
    assert booked(backup.vault) == (0, FLOOR)
    assert put(first, content) == 200
    assert put(again[0], content) == 412
    assert commit(backup, first["attempt"], first["attempt"]) == ["stored", "stored"]


def test_the_same_name_with_two_sizes(backup: Caller) -> None:
    content = some()
    objects = [entry(content), {**entry(content), "size": 1}]
    assert call(backup, "uploads", {"objects": objects})[0] == 400


def test_repeating_a_commit_whose_answer_was_lost(backup: Caller) -> None:
    content = some()
    offer = announce(backup, content)[0]
    put(offer, content)
    assert commit(backup, offer["attempt"]) == ["stored"]
    assert commit(backup, offer["attempt"]) == ["stored"]
    assert booked(backup.vault) == (FLOOR, 0)


def test_two_transfers_of_one_object_are_one_object(backup: Caller, maintain: Caller) -> None:
    content = some()
    mine, yours = announce(backup, content)[0], announce(maintain, content)[0]
    assert mine["attempt"] != yours["attempt"]
    assert (put(mine, content), put(yours, content)) == (200, 200)
    assert commit(backup, mine["attempt"]) == ["stored"]
    assert commit(maintain, yours["attempt"]) == ["stored"]
    assert commit(maintain, yours["attempt"]) == ["stored"]
    assert booked(backup.vault) == (FLOOR, FLOOR)  # the second one's bytes lie there
    assert StoredObject.objects.count() == 1
    states = Attempt.objects.order_by("state").values_list("state", flat=True)
    assert list(states) == ["doomed", "stored"]


# --- Stores that fail


@pytest.mark.parametrize("fault", ["refuse-503", "reset", "hang"])
def test_a_store_that_cannot_be_asked(backup: Caller, proxy: FaultyProxy, fault: str) -> None:
    content = some()
    offer = announce(backup, content)[0]
    put(offer, content)
    proxy.does(fault, to="HEAD")
    assert commit(backup, offer["attempt"]) == ["busy"]
    assert proxy.fault.seen
    assert announce(backup, some())[0]["status"] == "put"  # in the other region
    assert Attempt.objects.filter(region__alias="b").count() == 1
    proxy.does("", times=0)
    assert commit(backup, offer["attempt"]) == ["stored"]


def test_a_store_that_keeps_no_checksums_is_read(backup: Caller, proxy: FaultyProxy) -> None:
    content = some()
    offer = announce(backup, content)[0]
    put(offer, content)
    proxy.does("bare", to="HEAD")
    assert commit(backup, offer["attempt"]) == ["stored"]


def test_no_healthy_region(backup: Caller) -> None:
    for alias in "ab":
        placement.avoid(alias)
    assert announce(backup, some())[0]["status"] == "gateway"


def test_a_region_that_is_not_open_to_clients(backup: Caller, settings: Settings) -> None:
    settings.REGION_OPTIONS = settings.REGION_OPTIONS | {"A_DIRECT": "no"}
    content = some()
    assert announce(backup, content)[0]["status"] == "gateway"
    backup.put(content)
    assert read(backup, sha(content))[0]["status"] == "gateway"
