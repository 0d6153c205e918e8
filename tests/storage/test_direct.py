"""Direct transfers against a real SeaweedFS: what is signed, what is believed, what is charged."""

import dataclasses
import io
import json
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from accounts.audit import SERVICE
from backup_service import clock
from backup_service.embedded.stores import Store
from billing.models import Plan
from storage import credentials, direct, expire, placement, quota
from storage.models import Attempt, Region, Replica, Reservation, StoredObject, Usage, Vault
from storage.names import GIB
from storage.regions import store_of, sync_rows
from storage.regions.base import NoSuchKeyError, PresignedRequest
from storage.regions.s3 import S3Store
from tests.contracts.conftest import seaweed as _seaweed
from tests.contracts.test_direct import send
from tests.storage.conftest import Caller, caller, sha, some
from tests.stores import regions as places
from tests.stores import seaweedfs
from tests.stores.proxy import FaultyProxy

pytestmark = pytest.mark.django_db
seaweed = _seaweed
INSTANCE = "instance-of-tests"


@pytest.fixture(scope="module")
def front(seaweed: Store) -> Iterator[FaultyProxy]:
    with FaultyProxy(seaweed.port) as made:
        yield made


@pytest.fixture
def proxy(front: FaultyProxy) -> Iterator[FaultyProxy]:
    """What stands between the service and its store; clients go to the store itself."""
    yield front
    front.does("", times=0)


@pytest.fixture(scope="module")
def buckets(seaweed: Store, front: FaultyProxy) -> dict[str, str]:
    """The environment of two regions in buckets that clients may send to, prepared once."""
    variables = places.environment(seaweed, "a", "b", port=front.port)
    for alias in "ab":
        store = S3Store(seaweedfs.region(seaweed, places.bucket(variables, alias), alias=alias))
        store.prepare(INSTANCE)
    return variables


@pytest.fixture
def regions(db, settings, buckets: dict[str, str]) -> list[Region]:
    """Rows for the two."""
    places.apply(settings, buckets)
    sync_rows()
    Region.objects.update(instance=INSTANCE)
    return list(Region.objects.order_by("priority"))


def call(who: Caller, what: str, fields: object, vault: Vault | None = None):
    """Make a request of the control API; return status and answer."""
    response = who.client.post(
        f"/api/v1/vaults/{(vault or who.vault).public_id}/{what}",
        fields if isinstance(fields, bytes) else json.dumps(fields),
        content_type="application/json",
    )
    return response.status_code, response.json()


def entry(content: bytes, kind: str = "data") -> dict[str, object]:
    return {"type": kind, "name": sha(content), "size": len(content)}


def announce(who: Caller, *contents: bytes, kind: str = "data") -> list[dict]:
    status, answer = call(who, "uploads", {"objects": [entry(one, kind) for one in contents]})
    assert status == 200, answer
    return answer["objects"]


def request_of(offer: dict) -> PresignedRequest:
    assert offer["status"] == "put", offer
    return PresignedRequest(offer["method"], offer["url"], offer["headers"])


def put(offer: dict, content: bytes) -> int:
    return send(request_of(offer), content)[0]


def commit(who: Caller, *ids: str) -> list[str]:
    status, answer = call(who, "uploads", {"commit": list(ids)})
    assert status == 200, answer
    return [one["status"] for one in answer["committed"]]


def booked(vault: Vault) -> tuple[int, int]:
    usage = Usage.objects.get(account=vault.account)
    recount = quota.recount(vault.account, mend=False)
    assert recount.agrees, recount
    return usage.live_bytes, usage.reserved_bytes


def key_of(offer: dict):
    attempt = Attempt.objects.select_related("vault", "region").get(pk=offer["attempt"])
    return store_of(attempt.region), attempt.key


def test_what_was_put_is_an_object_like_any_other(backup):
    contents = [some(1000), some(60_000), b""]
    offers = announce(backup, *contents)
    assert booked(backup.vault) == (0, 61_000)
    assert [put(*pair) for pair in zip(offers, contents, strict=True)] == [200] * 3
    assert commit(backup, *[offer["attempt"] for offer in offers]) == ["stored"] * 3
    assert booked(backup.vault) == (61_000, 0)
    for content in contents:
        assert backup.fetch(f"data/{sha(content)}") == content
    held = backup.held(contents[0])
    states = dict(held.replicas.values_list("region__alias", "state"))
    assert states == {"a": "stored", "b": "pending"}
    assert held.created_by == backup.credential
    numbers = StoredObject.objects.order_by("sequence").values_list("sequence", flat=True)
    assert list(numbers) == [1, 2, 3]
    assert held.lifetimes.get().from_sequence == held.sequence
    backup.vault.refresh_from_db()
    assert backup.vault.sequence == 3


def test_index_files_too_and_everything_else_through_the_gateway(backup):
    offer = announce(backup, b"index", kind="index")[0]
    assert put(offer, b"index") == 200
    assert commit(backup, offer["attempt"]) == ["stored"]
    assert backup.names("index") == [sha(b"index")]
    for kind in ("snapshots", "keys", "locks"):
        assert announce(backup, some(), kind=kind)[0]["status"] == "gateway"


def test_an_index_file_waits_for_the_packs_of_its_batch(backup):
    pack, other = some(), some()
    offers = announce(backup, pack, other)
    index = announce(backup, b"index", kind="index")[0]
    put(index, b"index")
    put(offers[0], pack)
    ids = [index["attempt"], *[one["attempt"] for one in offers]]
    assert commit(backup, *ids) == ["busy", "stored", "missing"]
    assert commit(backup, ids[0], "a" * 32) == ["busy", "unknown"]
    assert backup.names("index") == []
    put(offers[1], other)
    assert commit(backup, *ids) == ["stored"] * 3
    assert backup.names("index") == [sha(b"index")]


def test_what_is_there_is_not_sent_again(backup):
    content = some()
    backup.put(content)
    assert announce(backup, content) == [{"status": "there"}]
    status, answer = call(backup, "uploads", {"objects": [{**entry(content), "size": 5}]})
    assert (status, answer["objects"][0]["status"]) == (200, "refused")
    assert answer["objects"][0]["code"] == "bad-request"


def test_a_deleted_object_comes_back(backup, maintain):
    content = some()
    backup.put(content)
    held = backup.held(content)
    maintain.delete(f"data/{sha(content)}")
    offer = announce(backup, content)[0]
    assert put(offer, content) == 200
    assert commit(backup, offer["attempt"]) == ["stored"]
    assert backup.held_state(held) == "live"
    assert booked(backup.vault) == (1000, 0)


def test_a_lost_object_is_wanted_and_healed(backup):
    content = some()
    backup.put(content)
    held = backup.held(content)
    attempt = held.replicas.get(region__alias="a").attempt
    store_of(attempt.region).delete(attempt.key)
    held.replicas.update(state=Replica.State.MISSING)
    StoredObject.objects.update(state=StoredObject.State.LOST)
    offer = announce(backup, content)[0]
    assert put(offer, content) == 200
    assert commit(backup, offer["attempt"]) == ["stored"]
    assert backup.held_state(held) == "live"
    assert backup.fetch(f"data/{sha(content)}") == content


def test_asking_again_holds_nothing_twice(backup):
    content = some()
    first, again = announce(backup, content)[0], announce(backup, content, content)
    assert {one["attempt"] for one in again} == {first["attempt"]}
    assert booked(backup.vault) == (0, 1000)
    assert put(first, content) == 200
    assert put(again[0], content) == 412
    assert commit(backup, first["attempt"], first["attempt"]) == ["stored", "stored"]


def test_the_same_name_with_two_sizes(backup):
    content = some()
    objects = [entry(content), {**entry(content), "size": 1}]
    assert call(backup, "uploads", {"objects": objects})[0] == 400


def test_repeating_a_commit_whose_answer_was_lost(backup):
    content = some()
    offer = announce(backup, content)[0]
    put(offer, content)
    assert commit(backup, offer["attempt"]) == ["stored"]
    assert commit(backup, offer["attempt"]) == ["stored"]
    assert booked(backup.vault) == (1000, 0)


def test_two_transfers_of_one_object_are_one_object(backup, maintain):
    content = some()
    mine, yours = announce(backup, content)[0], announce(maintain, content)[0]
    assert mine["attempt"] != yours["attempt"]
    assert (put(mine, content), put(yours, content)) == (200, 200)
    assert commit(backup, mine["attempt"]) == ["stored"]
    assert commit(maintain, yours["attempt"]) == ["stored"]
    assert commit(maintain, yours["attempt"]) == ["stored"]
    assert booked(backup.vault) == (1000, 0)
    assert StoredObject.objects.count() == 1
    states = Attempt.objects.order_by("state").values_list("state", flat=True)
    assert list(states) == ["doomed", "stored"]


# --- What a request that was signed does not do


@pytest.mark.parametrize("altered", ["other", "shorter", "longer"])
def test_other_bytes_than_announced(backup, altered):
    content = some()
    sent = {"other": some(), "shorter": content[:-1], "longer": content + b"x"}[altered]
    offer = announce(backup, content)[0]
    length = {"Content-Length": str(len(sent))}
    assert send(request_of(offer), sent, length)[0] in (400, 403)
    assert commit(backup, offer["attempt"]) == ["missing"]
    assert not StoredObject.objects.exists()
    assert put(offer, content) == 200
    assert commit(backup, offer["attempt"]) == ["stored"]


def test_twice(backup):
    content = some()
    offer = announce(backup, content)[0]
    assert (put(offer, content), put(offer, content)) == (200, 412)


def test_late(backup, settings):
    settings.DIRECT_SECONDS = 1
    content = some()
    offer = announce(backup, content)[0]
    time.sleep(2.1)
    assert put(offer, content) == 403
    assert commit(backup, offer["attempt"]) == ["missing"]
    backup.put(some())
    fetch = read(backup, backup_content(backup))[0]
    time.sleep(2.1)
    assert send(PresignedRequest(fetch["method"], fetch["url"], fetch["headers"]))[0] == 403


def backup_content(who: Caller) -> str:
    return StoredObject.objects.get(vault=who.vault).name


def test_for_another_object(backup):
    content, other = some(), some()
    offer = announce(backup, content)[0]
    url = offer["url"].replace(sha(content), sha(other))
    assert send(dataclasses.replace(request_of(offer), url=url), other)[0] == 403


# --- What a commit does not believe


def test_never_put(backup):
    offer = announce(backup, some())[0]
    assert commit(backup, offer["attempt"]) == ["missing"]
    assert booked(backup.vault) == (0, 1000)


def test_put_but_altered(backup):
    """A store that took other bytes than it was asked to."""
    content = some()
    offer = announce(backup, content)[0]
    store, key = key_of(offer)
    store._again.put_object(Bucket=store.region.bucket, Key=str(key), Body=b"x" * 1000)
    assert commit(backup, offer["attempt"]) == ["refused"]
    assert not StoredObject.objects.exists()


def test_put_in_another_region(backup, regions):
    content = some()
    offer = announce(backup, content)[0]
    _, key = key_of(offer)
    store_of(regions[1]).put(key, io.BytesIO(content), len(content))
    assert commit(backup, offer["attempt"]) == ["missing"]


def test_by_another_account_or_credential(backup, bob, maintain):
    content = some()
    offer = announce(backup, content)[0]
    put(offer, content)
    assert commit(bob, offer["attempt"]) == ["unknown"]
    assert commit(maintain, offer["attempt"]) == ["unknown"]
    assert call(bob, "uploads", {"commit": [offer["attempt"]]}, backup.vault)[0] == 404
    call(bob, "uploads", {"give_up": [offer["attempt"]]})
    assert commit(backup, "nonsense", "a" * 32) == ["unknown", "unknown"]
    assert commit(backup, offer["attempt"]) == ["stored"]


def test_an_upload_through_the_gateway_cannot_be_committed(backup, regions):
    attempt = Attempt.objects.create(
        vault=backup.vault,
        type="data",
        name=sha(b"x"),
        region=regions[0],
        credential=backup.credential,
        due_at=clock.now() + timedelta(hours=1),
    )
    assert commit(backup, attempt.pk) == ["unknown"]


def test_after_its_time(backup):
    content = some()
    offer = announce(backup, content)[0]
    put(offer, content)
    Attempt.objects.update(due_at=clock.now())
    expire.sweep()
    assert booked(backup.vault) == (0, 0)
    assert commit(backup, offer["attempt"]) == ["expired"]
    expire.sweep(doomed_before=clock.now() + timedelta(days=1))
    store = store_of(Region.objects.get(alias="a"))
    assert list(store.list_keys(backup.vault.public_id)) == []
    assert not Attempt.objects.exists()
    assert commit(backup, offer["attempt"]) == ["unknown"]


def test_giving_up_frees_the_quota_at_once_and_the_bytes_later(backup):
    content = some()
    offer = announce(backup, content)[0]
    put(offer, content)
    status, _ = call(backup, "uploads", {"give_up": [offer["attempt"]]})
    assert status == 200
    assert booked(backup.vault) == (0, 0)
    assert commit(backup, offer["attempt"]) == ["expired"]
    expire.sweep()  # something may still arrive, so the bytes stay on the list
    store, key = store_of(Region.objects.get(alias="a")), Attempt.objects.get().key
    assert store.size(key) == 1000
    expire.sweep(doomed_before=clock.now() + timedelta(days=1))
    with pytest.raises(NoSuchKeyError):
        store.size(key)


# --- Bounds


def test_the_edge_of_the_quota(backup):
    Plan.objects.filter(slug="personal").update(quota_bytes=2500)
    contents = [some() for _ in range(4)]
    offers = announce(backup, *contents)
    assert [one["status"] for one in offers] == ["put", "put", "refused", "refused"]
    assert offers[2]["code"] == "over-quota"
    assert "restores work" in offers[2]["message"]
    assert booked(backup.vault) == (0, 2000)


def test_two_gigabytes_and_not_a_byte_more(backup):
    whole = {"type": "data", "name": "a" * 64, "size": 2 * GIB}
    _, answer = call(backup, "uploads", {"objects": [whole]})
    assert answer["objects"][0]["status"] == "put"
    more = {**whole, "name": "b" * 64, "size": 2 * GIB + 1}
    _, answer = call(backup, "uploads", {"objects": [more]})
    assert answer["objects"][0]["code"] == "too-large"
    large_index = {"type": "index", "name": "c" * 64, "size": GIB}
    _, answer = call(backup, "uploads", {"objects": [large_index]})
    assert answer["objects"][0]["code"] == "too-large"


def test_batches_have_bounds(backup):
    many = [{"type": "data", "name": f"{n:064x}", "size": 1} for n in range(direct.MOST + 1)]
    for fields in (
        {"objects": many},
        {"objects": [{**one, "size": GIB} for one in many[:2]]},
        {"commit": ["a"] * 257},
    ):
        status, answer = call(backup, "uploads", fields)
        assert (status, answer["code"]) == (413, "too-large")
    assert call(backup, "uploads", {"objects": many[:-1]})[0] == 200
    status, answer = call(backup, "uploads", b" " * 200_000)
    assert (status, answer["code"]) == (413, "too-large")


def test_what_was_begun_and_not_finished_has_bounds(backup):
    for n in range(4):
        entry = {"type": "data", "name": f"{n:064x}", "size": 2 * GIB}
        _, answer = call(backup, "uploads", {"objects": [entry]})
        assert answer["objects"][0]["status"] == "put"
    begun = answer["objects"][0]["attempt"]
    call(backup, "uploads", {"give_up": [begun]})  # its bytes may still come
    assert announce(backup, some())[0]["status"] == "gateway"
    assert backup.put(some()).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{",
        b'{"objects": 1}',
        b'{"objects": [1]}',
        b'{"objects": [{"type": "data", "name": "../x", "size": 1}]}',
        b'{"objects": [{"type": "data", "name": "%2f", "size": 1}]}',
        b'{"objects": [{"type": "nothing", "name": "' + b"a" * 64 + b'", "size": 1}]}',
        b'{"objects": [{"type": "data", "name": "' + b"A" * 64 + b'", "size": 1}]}',
        b'{"objects": [{"type": "data", "name": "' + b"a" * 64 + b'", "size": -1}]}',
        b'{"objects": [{"type": "data", "name": "' + b"a" * 64 + b'", "size": 1.5}]}',
        b'{"objects": [{"type": "data", "name": "' + b"a" * 64 + b'", "size": true}]}',
        b'{"objects": [{"type": "data", "name": "' + b"a" * 64 + b'"}]}',
        b'{"commit": [null]}',
        b'{"commit": ["\\u0000"]}',
        b'{"commit": {}}',
        b"[" * 100_000,
    ],
)
def test_nonsense(backup, body):
    status, answer = call(backup, "uploads", body)
    assert (status, answer["code"]) == (400, "bad-request"), answer
    assert len(answer["message"]) > 10


def test_no_body(backup):
    assert call(backup, "uploads", b"")[1]["code"] == "length-required"
    assert call(backup, "uploads", {}) == (200, {"committed": [], "objects": []})


def test_only_posts(backup):
    response = backup.client.get(f"/api/v1/vaults/{backup.vault.public_id}/uploads")
    assert (response.status_code, response.json()["code"]) == (405, "method")


# --- Stores that fail


@pytest.mark.parametrize("fault", ["refuse-503", "reset", "hang"])
def test_a_store_that_cannot_be_asked(backup, proxy, fault):
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


def test_a_store_that_keeps_no_checksums_is_read(backup, proxy):
    content = some()
    offer = announce(backup, content)[0]
    put(offer, content)
    proxy.does("bare", to="HEAD")
    assert commit(backup, offer["attempt"]) == ["stored"]


def test_no_healthy_region(backup):
    for alias in "ab":
        placement.avoid(alias)
    assert announce(backup, some())[0]["status"] == "gateway"


def test_a_region_that_is_not_open_to_clients(backup, settings):
    settings.REGION_OPTIONS = settings.REGION_OPTIONS | {"A_DIRECT": "no"}
    content = some()
    assert announce(backup, content)[0]["status"] == "gateway"
    backup.put(content)
    assert read(backup, sha(content))[0]["status"] == "gateway"


# --- Reading


def read(who: Caller, *names: str, kind: str = "data") -> list[dict]:
    objects = [{"type": kind, "name": name} for name in names]
    status, answer = call(who, "downloads", {"objects": objects})
    assert status == 200, answer
    return answer["objects"]


def test_downloads(backup, restore, bob):
    contents = [some(), some(5000)]
    for content in contents:
        backup.put(content)
    offers = read(restore, *map(sha, contents), "a" * 64)
    assert [one["status"] for one in offers] == ["get", "get", "unknown"]
    assert [one["size"] for one in offers[:2]] == [1000, 5000]
    for offer, content in zip(offers, contents, strict=False):
        fetch = PresignedRequest(offer["method"], offer["url"], offer["headers"])
        assert send(fetch) == (200, content)
        assert send(fetch, headers={"Range": "bytes=10-19"}) == (206, content[10:20])
    assert read(bob, sha(contents[0]))[0]["status"] == "unknown"


def test_downloads_of_what_is_not_there(backup, maintain):
    content = some()
    backup.put(content)
    backup.held(content).replicas.update(state=Replica.State.CORRUPT)
    assert read(backup, sha(content))[0]["status"] == "gateway"
    maintain.delete(f"data/{sha(content)}")
    assert read(backup, sha(content))[0]["status"] == "unknown"
    many = [{"type": "data", "name": f"{n:064x}"} for n in range(257)]
    assert call(backup, "downloads", {"objects": many})[0] == 413


# --- Who


def test_who_may(backup, restore, bob):
    fields = {"objects": [entry(some())]}
    assert call(restore, "uploads", fields)[0] == 403
    assert call(bob, "uploads", fields, backup.vault)[0] == 404
    revoked = caller(backup.vault, "backup")
    credentials.revoke(revoked.credential, actor=SERVICE)
    for what in ("uploads", "downloads"):
        status, answer = call(revoked, what, fields)
        assert (status, answer["code"]) == (401, "unauthenticated")
    assert not Reservation.objects.exists()


def test_no_signature_is_logged(backup, caplog, proxy):
    caplog.set_level(0)
    content = some()
    offer = announce(backup, content)[0]
    put(offer, content)
    commit(backup, offer["attempt"])
    read(backup, sha(content))
    signature = offer["url"].rpartition("Signature=")[2]
    assert len(signature) == 64
    ours = [one.getMessage() for one in caplog.records if one.name.split(".")[0] == "storage"]
    assert signature not in "\n".join(ours)


# --- Redirects


def test_a_pack_is_read_from_the_store_once_and_then_from_here(backup, settings):
    content, small = some(200_000), some(1000)
    for one in (content, small):
        backup.put(one)
    where = f"data/{sha(content)}"
    first = backup.get(where, HTTP_RANGE="bytes=1000-199999")
    assert first.status_code == 307
    fetch = PresignedRequest("GET", first.headers["Location"], {})
    assert send(fetch, headers={"Range": "bytes=1000-199999"}) == (206, content[1000:])
    assert backup.fetch(where, HTTP_RANGE="bytes=1000-199999") == content[1000:]
    assert backup.get(where).status_code == 307
    assert backup.fetch(where) == content
    assert backup.fetch(where, HTTP_RANGE="bytes=0-999") == content[:1000]
    assert backup.fetch(f"data/{sha(small)}") == small
    settings.REDIRECT_READS = False
    assert backup.fetch(where, HTTP_RANGE="bytes=0-99999") == content[:100_000]


def test_no_redirect_to_a_region_that_failed(backup):
    content = some(200_000)
    backup.put(content)
    placement.avoid("a")
    assert backup.fetch(f"data/{sha(content)}") == content


def test_other_types_come_from_here(backup):
    content = some(200_000)
    backup.put(content, "index")
    assert backup.fetch(f"index/{sha(content)}") == content
