"""What a program does to a vault with care: deletion, set-up, credentials, keys, computers."""

from datetime import timedelta

import pytest

from accounts.audit import SERVICE
from accounts.models import ApiToken, AuditEvent, Device, Notice
from backup_service import clock
from storage.deletion import whole_vaults
from storage.models import Credential, Region, StoredObject, Undelete, Vault
from storage.object_names import ObjectType
from storage.rewind import worker
from storage.vaults.credentials import recognise
from storage.vaults.devices import retire_device
from storage.vaults.enrolment import Enrolled
from tests.support.customers.api import Program, program
from tests.unit.website.conftest import back_up, deposit, enrol, owner

pytestmark = pytest.mark.django_db
Scope = ApiToken.Scope


@pytest.fixture
def laptop(regions: list[Region]) -> Enrolled:
    return enrol(owner("alice-api@example.org"), "laptop")


@pytest.fixture
def full(laptop: Enrolled) -> Enrolled:
    """The same with a key, a config and a backup."""
    for kind in (ObjectType.KEY, ObjectType.CONFIG):
        deposit(laptop, kind)
    back_up(laptop)
    return laptop


@pytest.fixture
def alice(laptop: Enrolled) -> Program:
    return program(laptop.vault.account)


@pytest.fixture
def sure(laptop: Enrolled) -> Program:
    """A program with a token of full scope."""
    return program(laptop.vault.account, Scope.FULL)


def path(laptop: Enrolled, what: str = "") -> str:
    return f"vaults/{laptop.vault.public_id}/{what}"


def of_credential(laptop: Enrolled, what: str = "") -> str:
    return path(laptop, f"credentials/{laptop.first.credential.prefix}/{what}")


def last_act() -> tuple[str, str]:
    event = AuditEvent.objects.latest("pk")
    return event.verb, event.actor_kind


class TestDeletion:
    """A vault with backups is deleted after the grace, and kept until then."""

    def test_from_the_wish_to_the_vault_as_it_was(
        self, sure: Program, alice: Program, full: Enrolled
    ) -> None:
        before = set(StoredObject.objects.live().values_list("type", "name"))
        asked = sure.post(path(full, "deletion/"), {"confirm": "laptop"})
        assert (asked.status_code, asked.json()["state"]) == (202, "deleting")
        assert asked.json()["kept_until"] > asked.json()["deletion_asked_at"]
        assert last_act() == ("vault.ask-deletion", "token")
        again = sure.post(path(full, "deletion/"), {"confirm": "laptop"})
        assert again.json()["deletion_asked_at"] == asked.json()["deletion_asked_at"]
        assert Notice.objects.filter(kind="vault-deletion").count() == 1
        whole_vaults.remove_due(seconds=10)
        assert not StoredObject.objects.live().exists()
        kept = alice.ask("DELETE", path(full, "deletion/"))  # as on the page, without a password
        assert kept.json() == {"undelete": Undelete.objects.get().pk}
        worker.undelete_due(seconds=10)
        assert set(StoredObject.objects.live().values_list("type", "name")) == before
        told = alice.get(path(full)).json()
        assert (told["deletion_asked_at"], told["kept_until"]) == (None, None)
        assert alice.ask("DELETE", path(full, "deletion/")).json() == {"undelete": None}

    @pytest.mark.parametrize("scope", [Scope.READ, Scope.WRITE, Scope.BILLING])
    def test_no_other_scope_will_do(self, full: Enrolled, scope: str) -> None:
        other = program(full.vault.account, scope)
        told = other.post(path(full, "deletion/"), {"confirm": "laptop"})
        assert (told.status_code, told.json()["code"]) == (403, "permission-denied")
        assert Vault.objects.get().deletion_asked_at is None

    @pytest.mark.parametrize("said", [{}, {"confirm": ""}, {"confirm": "Laptop"}, {"confirm": 7}])
    def test_another_name_is_another_vault(
        self, sure: Program, full: Enrolled, said: dict[str, object]
    ) -> None:
        told = sure.post(path(full, "deletion/"), said)
        assert (told.status_code, told.json()["errors"][0]["field"]) == (400, "confirm")
        assert Vault.objects.get().deletion_asked_at is None

    def test_what_does_not_fit(self, sure: Program, alice: Program, full: Enrolled) -> None:
        new = enrol(full.vault.account, "new")
        told = sure.post(path(new, "deletion/"), {"confirm": "new"})
        assert (told.status_code, told.json()["code"]) == (409, "conflict")
        running = Undelete.objects.create(
            vault=full.vault, actor_label="x", removed_before=clock.now()
        )
        told = sure.post(path(full, "deletion/"), {"confirm": "laptop"})
        assert (told.status_code, told.json()["code"]) == (409, "in-use")
        running.delete()
        assert sure.post(path(full, "deletion/"), {"confirm": "laptop"}).status_code == 202
        with clock.travelled(timedelta(days=31)):
            later = program(full.vault.account).ask("DELETE", path(full, "deletion/"))
            assert (later.status_code, later.json()["code"]) == (409, "too-late")

    def test_not_with_somebody_else_s_token(self, full: Enrolled) -> None:
        bob = program(owner("bob-api@example.org"), Scope.FULL)
        for method in ("POST", "DELETE"):
            assert (
                bob.ask(method, path(full, "deletion/"), {"confirm": "laptop"}).status_code == 404
            )


class TestSetUp:
    """A vault that a program has made is set up."""

    def test_a_computer_that_a_program_adds(self, alice: Program, laptop: Enrolled) -> None:
        made = alice.post("devices/", {"name": "server"}).json()
        told = alice.post(f"vaults/{made['id']}/set-up/", idempotency_key="k")
        assert told.status_code == 201
        credential = recognise(told.json()["username"], told.json()["secret"])
        assert credential is not None
        assert credential.has_setup_right(clock.now())
        assert told.json()["address"] == made["address"]
        again = alice.post(f"vaults/{made['id']}/set-up/", idempotency_key="k")
        assert again.json() == told.json() | {"secret": None}

    def test_one_that_is_set_up(self, alice: Program, full: Enrolled) -> None:
        told = alice.post(path(full, "set-up/"))
        assert (told.status_code, told.json()["code"]) == (409, "in-use")


class TestCredentialsThatRemove:
    """They are handed out to whoever has proved who they are, as on the page."""

    def test_making_one(self, alice: Program, sure: Program, full: Enrolled) -> None:
        refused = alice.post(path(full, "credentials/"), {"scope": "maintain"})
        assert (refused.status_code, refused.json()["code"]) == (403, "permission-denied")
        assert "full scope" in refused.json()["detail"]
        assert Credential.objects.count() == 1
        assert alice.post(path(full, "credentials/"), {"scope": "backup"}).status_code == 201
        assert sure.post(path(full, "credentials/"), {"scope": "maintain"}).status_code == 201

    def test_replacing_one(self, alice: Program, sure: Program, full: Enrolled) -> None:
        Credential.objects.update(scope="maintain")
        assert alice.post(of_credential(full, "replace/"), {"hours": 0}).status_code == 403
        assert Credential.objects.filter(revoked_at=None, ends_at=None).count() == 1
        assert sure.post(of_credential(full, "replace/"), {"hours": 0}).status_code == 201


class TestReplacing:
    """Another secret for what a program signs in with."""

    def test_both_are_good_for_a_while(self, alice: Program, laptop: Enrolled) -> None:
        told = alice.post(of_credential(laptop, "replace/"), {"hours": 24})
        assert (told.status_code, told.json()["scope"]) == (201, "backup")
        new, old = told.json(), laptop.first
        assert recognise(new["username"], new["secret"])
        assert recognise(old.credential.prefix, old.secret)
        shown = alice.get(path(laptop, "credentials/")).json()["results"]
        assert [bool(one["ends_at"]) for one in shown] == [False, True]
        with clock.travelled(timedelta(hours=25)):
            assert recognise(old.credential.prefix, old.secret) is None
        assert last_act() == ("credential.replace", "token")
        twice = alice.post(of_credential(laptop, "replace/"), {"hours": 24})
        assert (twice.status_code, twice.json()["code"]) == (409, "not-in-use")

    def test_the_right_to_set_up_lasts_no_longer(self, alice: Program, laptop: Enrolled) -> None:
        until = laptop.first.credential.setup_until
        with clock.travelled(timedelta(minutes=50)):
            told = alice.post(of_credential(laptop, "replace/"), {"hours": 0}).json()
        assert until
        assert Credential.objects.get(prefix=told["username"]).setup_until == until

    def test_at_once(self, alice: Program, laptop: Enrolled) -> None:
        assert alice.post(of_credential(laptop, "replace/"), {"hours": 0}).status_code == 201
        assert recognise(laptop.first.credential.prefix, laptop.first.secret) is None

    @pytest.mark.parametrize("said", [{}, *({"hours": n} for n in (-1, 721, 2**70, "x", None))])
    def test_hours_out_of_bounds(
        self, alice: Program, laptop: Enrolled, said: dict[str, object]
    ) -> None:
        told = alice.post(of_credential(laptop, "replace/"), said)
        assert (told.status_code, told.json()["errors"][0]["field"]) == (400, "hours")
        assert Credential.objects.get().ends_at is None


class TestKeys:
    """A credential may change keys for a while."""

    def test_opened_and_closed(self, sure: Program, alice: Program, laptop: Enrolled) -> None:
        told = sure.post(of_credential(laptop, "keys/"))
        assert told.status_code == 200
        assert told.json()["keys_until"]
        assert last_act() == ("credential.open-keys", "token")
        assert Credential.objects.get().keys_open
        for _ in range(2):
            assert alice.ask("DELETE", of_credential(laptop, "keys/")).status_code == 204
        assert Credential.objects.get().keys_until is None
        assert last_act() == ("credential.close-keys", "token")

    @pytest.mark.parametrize("scope", [Scope.READ, Scope.WRITE, Scope.BILLING])
    def test_no_other_scope_will_do(self, laptop: Enrolled, scope: str) -> None:
        told = program(laptop.vault.account, scope).post(of_credential(laptop, "keys/"))
        assert (told.status_code, told.json()["code"]) == (403, "permission-denied")
        assert Credential.objects.get().keys_until is None

    def test_one_that_only_restores(self, sure: Program, alice: Program, laptop: Enrolled) -> None:
        made = alice.post(path(laptop, "credentials/"), {"scope": "restore"}).json()
        told = sure.post(path(laptop, f"credentials/{made['username']}/keys/"))
        assert (told.status_code, told.json()["code"]) == (409, "not-in-use")


class TestComputers:
    """What a computer is called."""

    def test_one_is_given_to_members_by_whoever_has_proved_it(
        self, alice: Program, laptop: Enrolled
    ) -> None:
        """Who is given it may delete, on the site, what is in its vault."""
        Device.objects.update(member=None)
        device, member = Device.objects.get(), laptop.vault.account.memberships.get().pk
        one = f"devices/{device.public_id}/"
        refused = alice.ask("PATCH", one, {"member": member, "name": "other"})
        assert (refused.status_code, refused.json()["code"]) == (403, "permission-denied")
        device.refresh_from_db()
        assert (device.name, device.member_id) == ("laptop", None)
        assert alice.ask("PATCH", one, {"member": None}).status_code == 200

    def test_renaming_one(self, sure: Program, alice: Program, laptop: Enrolled) -> None:
        enrol(laptop.vault.account, "phone")
        device = Device.objects.get(name="laptop")
        one = f"devices/{device.public_id}/"
        member = laptop.vault.account.memberships.get().pk
        told = sure.ask("PATCH", one, {"name": "Anna", "member": member})
        assert (told.json()["name"], told.json()["member"]) == ("Anna", member)
        assert last_act() == ("device.rename", "token")
        taken = alice.ask("PATCH", one, {"name": "phone", "member": None})
        assert (taken.status_code, taken.json()["code"]) == (409, "name-taken")
        device.refresh_from_db()
        assert (device.name, device.member_id) == ("Anna", member)
        retire_device(device, actor=SERVICE)
        late = alice.ask("PATCH", one, {"name": "x"})
        assert (late.status_code, late.json()["code"]) == (409, "retired")
