"""The API about the account, computers and vaults: what it tells, and who gets what."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.customer_api import limits
from accounts.models import (
    Account,
    ApiToken,
    AuditEvent,
    Device,
    IdempotentRequest,
    Membership,
)
from accounts.tasks import drop_old_requests
from backup_service import clock
from storage.models import Credential, Region, Usage, Vault
from storage.object_names import ObjectType
from storage.replication.replicator import replicate_due
from storage.vaults.enrolment import Enrolled
from tests.support.customers.api import Program, program
from tests.unit.website.conftest import back_up, deposit, enrol, owner, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice_account(regions: list[Region]) -> Account:
    return owner("alice-api@example.org")


@pytest.fixture
def laptop(alice_account: Account) -> Enrolled:
    return enrol(alice_account, "laptop")


@pytest.fixture
def alice(alice_account: Account) -> Program:
    return program(alice_account)


def vault_path(enrolled: Enrolled, what: str = "") -> str:
    return f"vaults/{enrolled.vault.public_id}/{what}"


def test_the_account(alice: Program, laptop: Enrolled) -> None:
    told = alice.get("account/").json()
    assert (told["plan"], told["state"], told["devices"]) == ("personal", "active", 1)
    assert told["quota"] == 200 * 10**9


def test_an_account_that_holds_more_than_its_plan_is_read_only(
    alice: Program, alice_account: Account, laptop: Enrolled
) -> None:
    Usage.objects.update_or_create(account=alice_account, defaults={"live_bytes": 201 * 10**9})
    told = alice.get("account/").json()
    assert (told["state"], told["used"]) == ("read-only", 201 * 10**9)
    assert "more is stored than the plan has room for" in told["reason"].lower()


def test_a_vault_from_new_to_protected(alice: Program, laptop: Enrolled) -> None:
    assert alice.get(vault_path(laptop)).json()["state"] == "setup"
    deposit(laptop, ObjectType.CONFIG)
    assert alice.get(vault_path(laptop)).json()["state"] == "never"
    deposit(laptop, ObjectType.DATA, 5000)
    deposit(laptop, ObjectType.SNAPSHOT)
    (told,) = alice.get("vaults/").json()["results"]
    assert told["snapshots"] == 1
    assert told["last_backup_at"] is not None
    assert told["state"] == "copying"
    with clock.travelled(timedelta(days=10)):  # its copies should be there by then
        assert alice.get(vault_path(laptop)).json()["state"] == "at-risk"
    replicate_due()
    assert alice.get(vault_path(laptop)).json()["state"] == "protected"
    with clock.travelled(timedelta(days=10)):
        assert alice.get(vault_path(laptop)).json()["state"] == "late"


def test_a_backup_that_lacks_files_is_at_risk(alice: Program, laptop: Enrolled) -> None:
    back_up(laptop)
    Vault.objects.filter(pk=laptop.vault.pk).update(last_unread=3)
    assert alice.get(vault_path(laptop)).json()["state"] == "at-risk"


def test_renaming(alice: Program, laptop: Enrolled) -> None:
    told = alice.ask("PATCH", vault_path(laptop), {"name": "Anna"})
    assert (told.status_code, told.json()["name"]) == (200, "Anna")
    event = AuditEvent.objects.latest("pk")
    assert event.verb == "vault.rename"
    assert event.actor_label.startswith("nst_") or "nst_" in str(event.__dict__)


def test_credentials(alice: Program, laptop: Enrolled) -> None:
    path = vault_path(laptop, "credentials/")
    made = alice.post(path, {"scope": "restore"})
    assert made.status_code == 201
    secret, username = made.json()["secret"], made.json()["username"]
    assert secret
    listed = alice.get(path)
    assert secret not in listed.content.decode()
    assert listed.json()["results"][0]["username"] == username
    assert alice.ask("DELETE", f"{path}{username}/").status_code == 204
    assert alice.ask("DELETE", f"{path}{username}/").status_code == 204
    assert Credential.objects.get(prefix=username).revoked_at is not None


def test_a_repeated_request_is_done_once(alice: Program, laptop: Enrolled) -> None:
    path = vault_path(laptop, "credentials/")
    first = alice.post(path, {"scope": "backup"}, idempotency_key="k-1")
    again = alice.post(path, {"scope": "backup"}, idempotency_key="k-1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again["Idempotency-Replayed"] == "true"
    assert again.json() == first.json() | {"secret": None}
    assert Credential.objects.count() == 2
    assert first.json()["secret"] not in str(list(IdempotentRequest.objects.values()))
    other = alice.post(path, {"scope": "restore"}, idempotency_key="k-1")
    assert (other.status_code, other.json()["code"]) == (422, "other-request")
    bad = alice.post(path, {"scope": "backup"}, idempotency_key="x" * 256)
    assert (bad.status_code, bad.json()["code"]) == (400, "bad-idempotency-key")


def test_a_request_that_failed_may_be_repeated(alice: Program, laptop: Enrolled) -> None:
    path = vault_path(laptop, "credentials/")
    assert alice.post(path, {"scope": "no"}, idempotency_key="k-2").status_code == 400
    assert not IdempotentRequest.objects.exists()


def test_computers(alice: Program, laptop: Enrolled) -> None:
    made = alice.post("devices/", {"name": "second"})
    assert (made.status_code, made.json()["state"]) == (201, "setup")
    taken = alice.post("devices/", {"name": "second"})
    assert (taken.status_code, taken.json()["code"]) == (409, "name-taken")
    device = Device.objects.get(name="second")
    assert alice.ask("DELETE", f"devices/{device.public_id}/").status_code == 204
    retired = [one for one in alice.get("devices/").json()["results"] if one["retired_at"]]
    assert [one["id"] for one in retired] == [device.public_id]


def test_pages_have_every_row_once(alice: Program, alice_account: Account) -> None:
    for number in range(7):
        Device.objects.create(account=alice_account, name=f"d{number}")
    seen: list[str] = []
    address = "devices/?limit=3"
    while address:
        told = alice.get(address.removeprefix("http://127.0.0.1:8000")).json()
        assert len(told["results"]) <= 3
        seen += [one["name"] for one in told["results"]]
        address = told["next"]
    assert seen == [f"d{number}" for number in reversed(range(7))]


def test_guessing_tokens_is_counted_as_asking_without_one(
    regions: list[Region], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SECONDS", 10**10)
    monkeypatch.setattr(limits, "ANONYMOUS_REQUESTS", 3)
    guesses = [Program(f"nst_aaaaaaa{one}_" + "A" * 43).get("account/") for one in "abcd"]
    assert [told.status_code for told in guesses] == [401, 401, 401, 429]
    assert guesses[0]["WWW-Authenticate"].startswith("Bearer")
    assert int(guesses[3]["Retry-After"]) >= 1


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=x", "limit=%D9%A3", "cursor=", "cursor=%00", "cursor=LAAAA==="],
)
def test_pages_that_there_are_not(alice: Program, query: str) -> None:
    told = alice.get(f"devices/?{query}")
    assert (told.status_code, told.json()["code"]) == (400, "invalid")


def test_a_list_takes_a_fixed_number_of_queries(
    alice: Program, alice_account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The first request of a minute begins its count, with a query more: have none begin.
    monkeypatch.setattr(limits, "SECONDS", 10**10)
    enrol(alice_account, "one")
    alice.get("vaults/")
    with CaptureQueriesContext(connection) as few:
        assert len(alice.get("vaults/").json()["results"]) == 1
    for number in range(20):
        enrol(alice_account, f"many-{number}")
    with CaptureQueriesContext(connection) as many:
        assert len(alice.get("vaults/").json()["results"]) == 21
    assert len(many) == len(few)


def test_another_tenant_sees_nothing(alice: Program, laptop: Enrolled) -> None:
    bob = program(owner("bob-api@example.org"))
    assert bob.get("vaults/").json()["results"] == []
    assert bob.get("devices/").json()["results"] == []
    for method, path, said in [
        ("GET", vault_path(laptop), None),
        ("PATCH", vault_path(laptop), {"name": "x"}),
        ("GET", vault_path(laptop, "events/"), None),
        ("GET", vault_path(laptop, "credentials/"), None),
        ("POST", vault_path(laptop, "credentials/"), {"scope": "maintain"}),
        ("DELETE", vault_path(laptop, f"credentials/{laptop.first.credential.prefix}/"), None),
        ("DELETE", f"devices/{Device.objects.get().public_id}/", None),
    ]:
        told = bob.ask(method, path, said)
        assert (told.status_code, told.json()["code"]) == (404, "not-found")
    assert Vault.objects.get().name == "laptop"


@pytest.mark.parametrize("scope", [ApiToken.Scope.READ, ApiToken.Scope.BILLING])
def test_a_token_that_may_not_change_changes_nothing(
    alice_account: Account, laptop: Enrolled, scope: str
) -> None:
    reader = program(alice_account, scope)
    for method, path, said in [
        ("PATCH", vault_path(laptop), {"name": "x"}),
        ("POST", vault_path(laptop, "credentials/"), {"scope": "maintain"}),
        ("POST", "devices/", {"name": "x"}),
        ("DELETE", f"devices/{Device.objects.get().public_id}/", None),
    ]:
        told = reader.ask(method, path, said)
        assert (told.status_code, told.json()["code"]) == (403, "permission-denied")
    assert Credential.objects.count() == 1


@pytest.mark.parametrize("token", ["", "nst_abc", "nst_aaaaaaaa_" + "A" * 43, "x" * 10_000])
def test_without_a_token_that_opens_something(laptop: Enrolled, token: str) -> None:
    nobody = Program(token)
    for path in (
        "account/",
        "vaults/",
        "devices/",
        vault_path(laptop),
        vault_path(laptop, "events/"),
    ):
        told = nobody.get(path)
        assert told.status_code == 401
        assert told["WWW-Authenticate"].startswith("Bearer")
        assert told["Content-Type"] == "application/problem+json"


def test_the_site_s_session_opens_nothing(alice_account: Account) -> None:
    from tests.unit.website.conftest import client_of

    browser = client_of(alice_account.memberships.get().user)
    assert browser.get("/api/v1/vaults/").status_code == 401


def test_too_many_requests(alice: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    from accounts.customer_api import limits

    monkeypatch.setattr(limits, "REQUESTS", 3)
    told = [alice.get("account/") for _ in range(4)]
    assert [one.status_code for one in told] == [200, 200, 200, 429]
    assert told[0]["RateLimit"].startswith('"default";r=2;t=')
    assert int(told[3]["Retry-After"]) >= 1
    assert told[3].json()["code"] == "throttled"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("PUT", "account/", 405, "method-not-allowed"),
        ("GET", "vaults/nothing/", 404, "not-found"),
    ],
)
def test_other_errors_are_problems(
    alice: Program, method: str, path: str, status: int, code: str
) -> None:
    told = alice.ask(method, path)
    assert (told.status_code, told.json()["code"]) == (status, code)
    assert told.json()["type"].endswith(f"/docs/api/reference/#problem-{code}")


def test_what_is_wrong_with_which_field(alice: Program, laptop: Enrolled) -> None:
    told = alice.ask("PATCH", vault_path(laptop), {"name": "x" * 101}).json()
    (wrong,) = told["errors"]
    assert wrong["field"] == "name"
    assert "100" in wrong["detail"]
    bodies: list[object] = [[], "x", 7]
    for body in bodies:
        assert alice.ask("PATCH", vault_path(laptop), body).status_code == 400


class TestIdempotency:
    """What is kept of a request is its token's own, and never guessed."""

    def test_another_token_s_answer(self, alice: Program, laptop: Enrolled) -> None:
        path = vault_path(laptop, "credentials/")
        assert alice.post(path, {"scope": "backup"}, idempotency_key="k").status_code == 201
        reader = program(laptop.vault.account, ApiToken.Scope.READ)
        told = reader.post(path, {"scope": "backup"}, idempotency_key="k")
        assert (told.status_code, told.json()["code"]) == (403, "permission-denied")
        other = program(laptop.vault.account)
        assert other.post(path, {"scope": "backup"}, idempotency_key="k").status_code == 201
        assert Credential.objects.count() == 3  # another program's key is another request

    def test_a_request_that_broke_is_not_done_again(
        self, alice: Program, laptop: Enrolled, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It may have been done before it broke, so that nobody knows."""
        from storage.customer_api import credentials as api

        def breaks(found: object) -> object:
            raise RuntimeError("after the commit")

        path = vault_path(laptop, "credentials/")
        with monkeypatch.context() as broken:
            broken.setattr(api, "shown", breaks)
            assert alice.post(path, {"scope": "backup"}, idempotency_key="k").status_code == 500
        assert Credential.objects.count() == 2
        told = alice.post(path, {"scope": "backup"}, idempotency_key="k")
        assert (told.status_code, told.json()["code"]) == (409, "under-way")
        assert Credential.objects.count() == 2

    def test_it_is_forgotten_after_a_day(
        self, alice: Program, laptop: Enrolled, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from accounts.customer_api import idempotency

        monkeypatch.setattr(idempotency, "MAX_KEPT", 2)
        path = vault_path(laptop, "credentials/")
        for number in range(3):
            told = alice.post(path, {"scope": "backup"}, idempotency_key=f"k-{number}")
            assert told.status_code == (201 if number < 2 else 429)
        with clock.travelled(timedelta(days=1, minutes=1)):
            drop_old_requests()
            told = alice.post(path, {"scope": "backup"}, idempotency_key="k-2")
            assert told.status_code == 201


def test_a_member_s_program_sees_the_computer_that_it_added(alice_account: Account) -> None:
    user = person("mia-api@example.org")
    Membership.objects.create(account=alice_account, user=user, role=Membership.Role.MEMBER)
    mia = program(alice_account, role=Membership.Role.MEMBER)
    assert mia.post("devices/", {"name": "mia"}).status_code == 201
    assert [one["name"] for one in mia.get("devices/").json()["results"]] == ["mia"]
    assert [one["name"] for one in mia.get("vaults/").json()["results"]] == ["mia"]
