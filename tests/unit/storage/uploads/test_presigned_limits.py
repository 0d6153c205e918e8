"""Direct transfers: bounds of room, of batches and of what may be asked."""

from collections.abc import Iterable
from datetime import timedelta

import pytest

from accounts.audit import SERVICE
from accounts.models import Account
from backup_service import clock
from billing.models import Plan
from storage.deletion import sweep
from storage.models import Attempt, Credential, StoredObject
from storage.object_names import GIB
from storage.objects.batch import MAX_OBJECTS, ItemResult
from storage.uploads import arrival_check
from storage.vaults import credentials
from storage.vaults.quota import FLOOR
from tests.support.storage.presigned import announce, booked, call, put, regions
from tests.unit.storage.conftest import Caller, sha, some

__all__ = ["regions"]
pytestmark = pytest.mark.django_db


def test_the_edge_of_the_quota(backup: Caller) -> None:
    Plan.objects.filter(slug="personal").update(quota_bytes=2 * FLOOR + 2500)
    contents = [some() for _ in range(4)]
    offers = announce(backup, *contents)
    assert [one["status"] for one in offers] == ["put", "put", "refused", "refused"]
    assert offers[2]["code"] == "over-quota"
    assert "restores work" in offers[2]["message"]
    assert booked(backup.vault) == (0, 2 * FLOOR)


def test_two_gigabytes_and_not_a_byte_more(backup: Caller) -> None:
    whole = {"type": "data", "name": "a" * 64, "size": 2 * GIB}
    _, answer = call(backup, "uploads", {"objects": [whole]})
    assert answer["objects"][0]["status"] == "put"
    more = {**whole, "name": "b" * 64, "size": 2 * GIB + 1}
    _, answer = call(backup, "uploads", {"objects": [more]})
    assert answer["objects"][0]["code"] == "too-large"
    large_index = {"type": "index", "name": "c" * 64, "size": GIB}
    _, answer = call(backup, "uploads", {"objects": [large_index]})
    assert answer["objects"][0]["code"] == "too-large"


def test_batches_have_bounds(backup: Caller) -> None:
    many = [{"type": "data", "name": f"{n:064x}", "size": 1} for n in range(MAX_OBJECTS + 1)]
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


def test_what_was_begun_and_not_finished_has_bounds(backup: Caller) -> None:
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
def test_nonsense(backup: Caller, body: bytes) -> None:
    status, answer = call(backup, "uploads", body)
    assert (status, answer["code"]) == (400, "bad-request"), answer
    assert len(answer["message"]) > 10


def test_no_body(backup: Caller) -> None:
    assert call(backup, "uploads", b"")[1]["code"] == "length-required"
    assert call(backup, "uploads", {}) == (200, {"committed": [], "objects": []})


def test_only_posts(backup: Caller) -> None:
    response = backup.client.get(f"/api/v1/vaults/{backup.vault.public_id}/uploads")
    assert (response.status_code, response.json()["code"]) == (405, "method")


def test_announcing_and_giving_up_holds_the_quota(backup: Caller) -> None:
    """What was announced may be sent for as long as its address is valid, given up or not."""
    Plan.objects.filter(slug="personal").update(quota_bytes=20_000)
    answers = []
    for _ in range(4):
        content = some(6000)
        offer = announce(backup, content)[0]
        answers.append(offer.get("code") or offer["status"])
        if offer["status"] == "put":
            call(backup, "uploads", {"give_up": [offer["attempt"]]})
            assert put(offer, content) == 200
    assert answers == ["put", "put", "put", "over-quota"]
    assert booked(backup.vault) == (0, 18_000)
    assert backup.put(some(6000)).status_code == 507
    sweep.sweep(doomed_before=clock.now() + timedelta(days=1))
    assert booked(backup.vault) == (0, 0)
    assert backup.put(some(6000)).status_code == 200


def test_removing_and_sending_again_holds_the_quota(backup: Caller, maintain: Caller) -> None:
    Plan.objects.filter(slug="personal").update(quota_bytes=20_000)
    content = some(6000)
    backup.put(content)
    status = []
    for _ in range(3):
        maintain.delete(f"data/{sha(content)}")
        offer = announce(backup, content)[0]
        if offer["status"] != "put":
            break
        assert put(offer, content) == 200
        status.append(call(backup, "uploads", {"commit": [offer["attempt"]]})[0])
    assert status == [200, 200, 507]
    assert booked(backup.vault) == (0, 18_000)


@pytest.mark.parametrize("what", ["uploads", "finish"])
@pytest.mark.parametrize("action", ["revoked", "frozen", "scope"])
def test_rights_are_asked_again_at_commit(
    backup: Caller, monkeypatch: pytest.MonkeyPatch, what: str, action: str
) -> None:
    content = some(6000)
    offer = announce(backup, content)[0]
    assert put(offer, content) == 200
    real = arrival_check.check

    def check(attempts: Iterable[Attempt]) -> dict[str, ItemResult]:
        """They end while the store is being asked."""
        found = real(attempts)
        if action == "revoked":
            credentials.revoke(backup.credential, actor=SERVICE)
        elif action == "frozen":
            Account.objects.update(state="frozen")
        else:
            Credential.objects.update(scope="restore")
        return found

    monkeypatch.setattr(arrival_check, "check", check)
    status, answer = call(backup, what, {"commit": [offer["attempt"]]})
    assert (status, answer["code"]) == (
        (401, "unauthenticated") if action == "revoked" else (403, "forbidden")
    )
    assert not StoredObject.objects.exists()
    assert booked(backup.vault) == (0, 6000)
