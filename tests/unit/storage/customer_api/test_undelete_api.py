"""Bringing back through the API what a thief removed, and what a program is not trusted with."""

from datetime import timedelta

import pytest

from accounts.models import Account, AuditEvent, Membership
from backup_service import clock
from storage.models import Region, StoredObject, Undelete, Vault
from storage.rewind import worker
from tests.support.customers.api import Program, program
from tests.unit.website.conftest import back_up, enrol, owner, person, remove_all

pytestmark = pytest.mark.django_db


@pytest.fixture
def emptied(regions: list[Region]) -> Vault:
    return remove_all(enrol(owner("alice-api@example.org"), "laptop"))


@pytest.fixture
def alice(emptied: Vault) -> Program:
    return program(emptied.account)


def path(vault: Vault, what: str = "") -> str:
    return f"vaults/{vault.public_id}/{what}"


def moment_before(asks: Program, vault: Vault) -> str:
    events = asks.get(path(vault, "events/")).json()["results"]
    return next(one["before"] for one in events if one["before"])


def test_the_whole_way(alice: Program, emptied: Vault) -> None:
    assert alice.get(path(emptied)).json()["state"] == "at-risk"
    snapshots = alice.get(path(emptied, "snapshots/")).json()["results"]
    assert len(snapshots) == 3
    assert all(one["removed_at"] and one["removed_by"] and one["kept_until"] for one in snapshots)
    wish = {"to": moment_before(alice, emptied)}
    planned = alice.post(path(emptied, "undeletes/plan/"), wish).json()
    assert (planned["objects"], planned["snapshots"], planned["purged"]) == (9, 3, 0)
    assert not Undelete.objects.exists()
    wish |= {"confirm": "laptop"}
    begun = alice.post(path(emptied, "undeletes/"), wish, idempotency_key="u-1")
    assert (begun.status_code, begun.json()["expected"]) == (202, 9)
    assert begun.json()["ended_at"] is None
    again = alice.post(path(emptied, "undeletes/"), wish, idempotency_key="u-1")
    assert again.json() == begun.json()
    other = alice.post(path(emptied, "undeletes/"), wish)
    assert (other.status_code, other.json()["code"]) == (409, "cannot-undelete")
    worker.undelete_due()
    done = alice.get(path(emptied, f"undeletes/{begun.json()['id']}/")).json()
    assert (done["objects"], done["snapshots"]) == (9, 3)
    assert done["ended_at"] is not None
    assert alice.get(path(emptied, "undeletes/")).json()["results"] == [done]
    assert alice.get(path(emptied)).json()["state"] != "at-risk"
    assert not any(
        one["removed_at"] for one in alice.get(path(emptied, "snapshots/")).json()["results"]
    )
    assert AuditEvent.objects.get(verb="vault.undelete").actor_kind == "token"
    assert done["by"].startswith("the API token nst_")
    assert AuditEvent.objects.get(verb="vault.undeleted").actor_label == done["by"]


def test_snapshots_with_what_came_with_them(alice: Program, emptied: Vault) -> None:
    told = alice.get(path(emptied, "snapshots/?limit=2")).json()
    assert len(told["results"]) == 2
    assert told["next"] is not None
    assert all(one["bytes_added"] == 3000 for one in told["results"])
    names = {one["name"] for one in told["results"]}
    assert names < set(StoredObject.objects.filter(type="snapshots").values_list("name", flat=True))


def test_chosen_snapshots_and_one_credential(alice: Program, emptied: Vault) -> None:
    (last, *_) = alice.get(path(emptied, "snapshots/")).json()["results"]
    plan = alice.post(path(emptied, "undeletes/plan/"), {"snapshots": [last["name"][:8]]}).json()
    assert (plan["objects"], plan["snapshots"]) == (7, 1)
    wish = {"credential": last["removed_by"], "to": moment_before(alice, emptied)}
    assert alice.post(path(emptied, "undeletes/plan/"), wish).json()["objects"] == 9


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"to": "2999-01-01T00:00:00Z"}, 409),
        ({"to": "2000-01-01T00:00:00Z"}, 409),
        ({}, 409),
        ({"to": "yesterday"}, 400),
        ({"to": "0001-01-01T00:00:00+14:00"}, 400),
        ({"snapshots": ["x"]}, 409),
        ({"snapshots": ["a"] * 101}, 400),
        ({"snapshots": "all"}, 400),
        ({"credential": "nsnobody", "to": "2000-01-01T00:00:00Z"}, 409),
    ],
)
def test_what_cannot_come_back(
    alice: Program, emptied: Vault, said: dict[str, object], status: int
) -> None:
    for where in ("undeletes/plan/", "undeletes/"):
        told = alice.post(path(emptied, where), said | {"confirm": "laptop"})
        assert told.status_code == status, told.content
        assert told["Content-Type"] == "application/problem+json"
    assert not Undelete.objects.exists()


@pytest.mark.parametrize("where", ["undeletes/", "accept-removal/"])
@pytest.mark.parametrize("name", ["Laptop", "", None])
def test_the_vault_that_is_meant_is_named(
    alice: Program, emptied: Vault, where: str, name: str | None
) -> None:
    said = {"to": moment_before(alice, emptied)} | ({} if name is None else {"confirm": name})
    told = alice.post(path(emptied, where), said)
    assert (told.status_code, told.json()["errors"][0]["field"]) == (400, "confirm")
    assert not Undelete.objects.exists()
    emptied.refresh_from_db()
    assert emptied.wiped_at is not None


def test_a_member_s_program_brings_nothing_back(alice: Program, emptied: Vault) -> None:
    """On the website the member may, once they prove who they are."""
    account = Account.objects.get()
    mia = Membership.objects.create(
        account=account, user=person("mia@example.org"), role=Membership.Role.MEMBER
    )
    account.devices.update(member=mia)
    asks = program(account, role="member")
    assert len(asks.get(path(emptied, "snapshots/")).json()["results"]) == 3
    said = {"to": moment_before(asks, emptied), "confirm": "laptop"}
    for where in ("undeletes/plan/", "undeletes/", "accept-removal/"):
        told = asks.post(path(emptied, where), said)
        assert (told.status_code, told.json()["code"]) == (403, "permission-denied")
        assert "owner or admin" in told.json()["detail"]
    assert not Undelete.objects.exists()


def test_a_removal_that_was_meant(alice: Program, emptied: Vault) -> None:
    said = {"confirm": "laptop"}
    assert alice.post(path(emptied, "accept-removal/"), said).json() == {"was_at_risk": True}
    assert alice.post(path(emptied, "accept-removal/"), said).json() == {"was_at_risk": False}
    emptied.refresh_from_db()
    assert emptied.wiped_at is None
    assert AuditEvent.objects.filter(verb="vault.accept-removal").count() == 1


def test_what_is_too_old_is_not_listed(alice: Program, emptied: Vault) -> None:
    with clock.travelled(timedelta(days=31)):
        StoredObject.objects.removed().update(state=StoredObject.State.PURGING)
        assert alice.get(path(emptied, "snapshots/")).json()["results"] == []


def test_an_undelete_of_another_vault(alice: Program, emptied: Vault) -> None:
    other = enrol(emptied.account, "other")
    back_up(other)
    row = Undelete.objects.create(vault=other.vault, actor_label="x", removed_before=clock.now())
    assert alice.get(path(emptied, f"undeletes/{row.pk}/")).status_code == 404
    assert alice.get(path(other.vault, f"undeletes/{row.pk}/")).status_code == 200
