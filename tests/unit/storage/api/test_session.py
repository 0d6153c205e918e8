"""begin and finish: what an agent learns and leaves in one request each."""

import base64
import json
from typing import Any

import pytest

from storage.api import session
from storage.models import Credential, Lock, Replica, StoredObject, Vault
from storage.vaults import credentials
from tests.unit.storage.conftest import Caller, caller, path_of, sealed, sha, some

pytestmark = pytest.mark.django_db


def call(who: Caller, what: str, fields: object) -> tuple[int, Any]:
    where = f"/api/v1/vaults/{who.vault.public_id}/{what}"
    response = who.client.post(where, json.dumps(fields), content_type="application/json")
    return response.status_code, response.json()


def named(content: bytes) -> dict[str, str]:
    return {"name": sha(content), "body": base64.b64encode(content).decode()}


def begin(who: Caller, **fields: object) -> dict[str, Any]:
    status, answer = call(who, "begin", fields)
    assert status == 200, answer
    return answer


def names(listing: dict[str, Any]) -> list[str]:
    return [one["name"] for one in listing["objects"]]


@pytest.fixture
def furnished(setup: Caller) -> Caller:
    """A vault with everything in it."""
    setup.post("config", sealed(b"sealed config"))
    setup.put(sealed(b"sealed key"), "keys")
    setup.put(sealed(b"first index"), "index")
    setup.put(sealed(b"first snapshot"), "snapshots")
    return setup


def test_all_in_one_answer(furnished: Caller) -> None:
    other = sealed(b"their lock")
    furnished.put(other, "locks")
    locked = begin(furnished, lock=named(sealed(b"my lock")))
    assert locked["locks"] == [named(other)]
    assert {one["type"] for one in locked["bodies"]} == {"snapshots"}
    answer = begin(furnished)
    assert (answer["epoch"], answer["sequence"]) == (0, 4)
    assert answer["snapshots"] == {
        "complete": True,
        "since": None,
        "objects": [{"name": sha(sealed(b"first snapshot")), "size": 48}],
    }
    assert names(answer["index"]) == [sha(sealed(b"first index"))]
    found = {(one["type"], base64.b64decode(one["body"])) for one in answer["bodies"]}
    assert found == {
        ("config", sealed(b"sealed config")),
        ("keys", sealed(b"sealed key")),
        ("snapshots", sealed(b"first snapshot")),
    }
    assert answer["wanted"] == []
    assert answer["direct"]["uploads"] is False  # directories
    assert set(furnished.names("locks")) == {sha(other), sha(sealed(b"my lock"))}


def test_only_what_is_new(furnished: Caller) -> None:
    before = begin(furnished)
    since = {"epoch": before["epoch"], "sequence": before["sequence"]}
    again = begin(furnished, since=since)
    assert names(again["index"]) == []
    assert {one["type"] for one in again["bodies"]} == {"config", "keys"}
    assert len(names(again["snapshots"])) == 1
    furnished.put(sealed(b"second index"), "index")
    furnished.put(sealed(b"second snapshot"), "snapshots")
    later = begin(furnished, since=since)
    assert later["index"]["since"] == before["sequence"]
    assert names(later["index"]) == [sha(sealed(b"second index"))]
    assert later["bodies"][0]["name"] == sha(sealed(b"second snapshot"))


def test_everything_again_after_a_removal(furnished: Caller) -> None:
    before = begin(furnished)
    since = {"epoch": before["epoch"], "sequence": before["sequence"]}
    caller(furnished.vault, "maintain").delete(f"index/{sha(sealed(b'first index'))}")
    furnished.put(sealed(b"second index"), "index")
    after = begin(furnished, since=since)
    assert after["epoch"] > before["epoch"]
    assert after["index"]["since"] is None
    assert names(after["index"]) == [sha(sealed(b"second index"))]
    future = {"epoch": after["epoch"], "sequence": after["sequence"] + 1}
    assert begin(furnished, since=future)["index"]["since"] is None


def test_lost_objects_are_wanted(furnished: Caller) -> None:
    content = some()
    furnished.put(content)
    obj = furnished.stored_object(content)
    obj.replicas.update(state=Replica.State.MISSING)
    StoredObject.objects.filter(pk=obj.pk).update(state=StoredObject.State.LOST)
    wanted = begin(furnished)["wanted"]
    assert wanted == [{"type": "data", "name": sha(content), "size": 1000}]


def test_a_body_that_cannot_be_read_is_left_out(furnished: Caller) -> None:
    obj = furnished.stored_object(sealed(b"first snapshot"), "snapshots")
    path_of(obj.replicas.get(region__alias="a")).unlink()
    answer = begin(furnished)
    assert {one["type"] for one in answer["bodies"]} == {"config", "keys"}


def test_bodies_have_bounds(furnished: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "MOST_BODIES", 2)
    monkeypatch.setattr(session, "MOST_LISTED", 3)
    furnished.put(b"x" * (session.SMALL + 1), "snapshots")
    for n in range(2):
        furnished.put(sealed(b"snapshot %d" % n), "snapshots")
    answer = begin(furnished)
    bodies = [one["name"] for one in answer["bodies"] if one["type"] == "snapshots"]
    assert bodies == [sha(sealed(b"snapshot 1")), sha(sealed(b"snapshot 0"))]
    assert answer["snapshots"] == {"complete": False, "since": None, "objects": []}
    assert answer["index"]["complete"]


def test_begin_lets_a_fenced_client_in_again(furnished: Caller) -> None:
    maintain = caller(furnished.vault, "maintain")
    furnished.put(sealed(b"index"), "index")
    begin(furnished, lock=named(sealed(b"lock")))
    maintain.delete(f"index/{sha(sealed(b'index'))}")
    fields = {"snapshot": named(sealed(b"stale")), "lock": sha(sealed(b"lock"))}
    furnished.names("index")
    status, answer = call(furnished, "finish", fields)
    assert (status, answer["code"]) == (409, "stale")
    assert sha(sealed(b"stale")) not in furnished.names("snapshots")
    begin(furnished, lock=named(sealed(b"another lock")))
    assert call(furnished, "finish", fields)[0] == 409  # it names the lock of the older run
    begin(furnished, lock=named(sealed(b"lock")))
    assert call(furnished, "finish", fields)[0] == 200


def test_finish_stores_and_unlocks(furnished: Caller) -> None:
    begin(furnished, lock=named(sealed(b"my lock")))
    fields = {"snapshot": named(sealed(b"new")), "lock": sha(sealed(b"my lock"))}
    assert call(furnished, "finish", fields) == (200, {"committed": [], "finished": True})
    assert sha(sealed(b"new")) in furnished.names("snapshots")
    assert not Lock.objects.exists()
    assert not Credential.objects.exclude(setup_until=None).exists()
    assert call(furnished, "finish", fields)[0] == 200  # its answer may have been lost


def test_what_could_not_be_read_is_kept_with_the_last_backup(furnished: Caller) -> None:
    def unread() -> int | None:
        return Vault.objects.get(pk=furnished.vault.pk).last_unread

    assert unread() is None
    told = {"snapshot": named(sealed(b"lacks some")), "unread": 3}
    assert [call(furnished, "finish", told)[0] for _ in range(2)] == [200, 200]
    assert unread() == 3
    call(furnished, "finish", {"snapshot": named(sealed(b"whole")), "unread": 0})
    assert unread() == 0
    call(furnished, "finish", told)  # which is not the last one any more
    assert unread() == 0
    call(furnished, "finish", {"snapshot": named(sealed(b"of an older agent"))})
    assert unread() is None
    call(furnished, "finish", {"snapshot": named(sealed(b"whole again")), "unread": 0})
    furnished.put(sealed(b"of stock restic"), "snapshots")
    assert unread() is None


def test_a_refused_snapshot_leaves_the_lock(furnished: Caller) -> None:
    begin(furnished, lock=named(sealed(b"my lock")))
    wrong = {"name": "a" * 64, "body": named(sealed(b"x"))["body"]}
    status, answer = call(furnished, "finish", {"snapshot": wrong, "lock": sha(sealed(b"my lock"))})
    assert (status, answer["code"]) == (400, "bad-request")
    assert furnished.names("locks") == [sha(sealed(b"my lock"))]


def test_nothing_is_stored_before_every_transfer_is(furnished: Caller) -> None:
    begin(furnished, lock=named(sealed(b"my lock")))
    fields = {
        "commit": ["a" * 32],
        "snapshot": named(sealed(b"new")),
        "lock": sha(sealed(b"my lock")),
    }
    status, answer = call(furnished, "finish", fields)
    assert (status, answer["finished"]) == (200, False)
    assert answer["committed"][0]["status"] == "unknown"
    assert sha(sealed(b"new")) not in furnished.names("snapshots")
    assert furnished.names("locks") == [sha(sealed(b"my lock"))]


@pytest.mark.parametrize(
    ("what", "fields", "code"),
    [
        ("begin", {"lock": {"name": "a" * 64, "body": "eA==" * 50}}, "bad-request"),
        ("begin", {"lock": {"name": "a" * 64, "body": "&"}}, "bad-request"),
        ("begin", {"lock": {"name": "a" * 64}}, "bad-request"),
        ("begin", {"lock": {"name": "../x", "body": "eA=="}}, "bad-request"),
        ("begin", {"lock": 1}, "bad-request"),
        ("begin", {"since": {"epoch": -1, "sequence": 0}}, "bad-request"),
        ("begin", {"since": {"epoch": 0}}, "bad-request"),
        ("begin", {"lock": named(sealed(b"x") * 70_000)}, "too-large"),
        ("begin", {"lock": named(sealed(b"x") * 130_000)}, "too-large"),
        ("finish", {"snapshot": "x"}, "bad-request"),
        ("finish", {"lock": 1}, "bad-request"),
        ("finish", {"unread": -1}, "bad-request"),
        ("finish", {"unread": True}, "bad-request"),
        ("finish", {"lock": "x"}, "bad-request"),
        ("finish", {"snapshot": {"name": "a" * 64, "body": "x" * 2**20}}, "too-large"),
    ],
)
def test_nonsense(furnished: Caller, what: str, fields: dict[str, object], code: str) -> None:
    status, answer = call(furnished, what, fields)
    assert (status, answer["code"]) == ({"bad-request": 400, "too-large": 413}[code], code)
    assert not Lock.objects.exists()


def test_who_may(furnished: Caller, bob: Caller) -> None:
    restore = caller(furnished.vault, "restore")
    begin(restore, lock=named(sealed(b"my lock")))
    assert call(restore, "finish", {"snapshot": named(sealed(b"x"))})[0] == 403
    assert call(restore, "finish", {"lock": sha(sealed(b"my lock"))})[0] == 200
    assert not Lock.objects.exists()
    bob.vault = furnished.vault
    assert call(bob, "begin", {})[0] == 404
    from accounts.audit import SERVICE

    credentials.revoke(restore.credential, actor=SERVICE)
    assert call(restore, "begin", {})[0] == 401
