"""Lists of objects: their two forms, in little memory however long they are."""

import json
import tracemalloc

import pytest

from storage.api import session
from storage.database import bulk
from storage.downloads import listings
from storage.models import StoredObject, Vault
from storage.object_names import ObjectType
from tests.unit.storage.conftest import Caller, sealed, sha

pytestmark = pytest.mark.django_db
V2 = "application/vnd.x.restic.rest.v2"


def fill(vault: Vault, count: int, kind: str = "data") -> dict[str, int]:
    """Make rows of objects; return their sizes by name."""
    sizes = {sha(b"%d" % n): n for n in range(count)}
    bulk.insert(
        StoredObject,
        {"vault_id": vault.pk, "type": kind, "sha256": "", "created_at": vault.created_at},
        {"name": list(sizes), "size": list(sizes.values()), "sequence": list(range(count))},
    )
    return sizes


@pytest.mark.parametrize("count", [0, 1, 3, listings.PAGE, listings.PAGE + 1])
def test_names_and_sizes(backup: Caller, vault: Vault, count: int) -> None:
    sizes = fill(vault, count)
    plain = backup.get("data/")
    assert plain.headers["Content-Type"] == "application/json"
    assert json.loads(plain.getvalue()) == sorted(sizes)
    sized = backup.get("data/", headers={"accept": V2})
    assert sized.headers["Content-Type"] == V2
    assert sized.headers["Content-Length"] == str(len(sized.getvalue()))
    assert json.loads(sized.getvalue()) == [{"name": n, "size": sizes[n]} for n in sorted(sizes)]


def test_locks(backup: Caller) -> None:
    backup.put(sealed(b"a lock"), "locks")
    assert backup.names("locks") == [sha(sealed(b"a lock"))]
    sized = json.loads(backup.get("locks/", headers={"accept": V2}).getvalue())
    assert sized == [{"name": sha(sealed(b"a lock")), "size": 48}]


@pytest.mark.parametrize("with_sizes", [True, False])
def test_a_long_list_is_of_one_moment_and_takes_little_memory(
    vault: Vault, with_sizes: bool
) -> None:
    """Sixty thousand objects, of which no more is held than a page and a file's buffer."""
    count = 60_000
    fill(vault, count)
    tracemalloc.start()
    try:
        listed = listings.of_objects(vault, ObjectType.DATA, with_sizes=with_sizes)
        StoredObject.objects.filter(vault=vault)[:1].get().delete()
        taken, commas = 0, 0
        for chunk in listed.chunks():
            taken += len(chunk)
            commas += chunk.count(b",")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken == listed.length > 4_000_000
    assert commas == count - 1 + (count if with_sizes else 0)
    assert peak < 8_000_000


def test_a_full_disk_is_said(backup: Caller, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(vault, 10)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(listings, "write", full)
    response = backup.get("data/")
    assert (response.status_code, response.headers["Nightsafe-Refusal"]) == (503, "busy")


def test_begin_takes_little_memory(backup: Caller, vault: Vault) -> None:
    """With as many objects as it tells, each of its lists is a text and no list of objects."""
    fill(vault, session.MOST_LISTED, "index")
    tracemalloc.start()
    try:
        where = f"/api/v1/vaults/{vault.public_id}/begin"
        response = backup.client.post(where, "{}", content_type="application/json")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    answer = response.json()
    assert answer["index"]["complete"]
    assert len(answer["index"]["objects"]) == session.MOST_LISTED
    assert peak < 16_000_000


def test_too_many_are_left_to_the_data_protocol(backup: Caller, vault: Vault) -> None:
    fill(vault, session.MOST_LISTED + 1, "index")
    where = f"/api/v1/vaults/{vault.public_id}/begin"
    answer = backup.client.post(where, "{}", content_type="application/json").json()
    assert answer["index"] == {"complete": False, "since": None, "objects": []}
