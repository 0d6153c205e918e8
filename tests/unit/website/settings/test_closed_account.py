"""A closed account stays as it was: pages and the API refuse the same changes, and no others."""

import pytest
from pytest_django import Settings

from accounts.audit import SERVICE
from accounts.closing.actions import close
from accounts.models import Account, ApiToken, AuditEvent, Endpoint, IdempotentRequest
from accounts.notifications import endpoints
from accounts.topics import Topic
from storage.models import Region
from storage.vaults.enrolment import Enrolled
from tests.support.customers.api import Program, program
from tests.support.pages import Client, send_once, text

pytestmark = pytest.mark.django_db
SAID = "This account is closed. Open it again first, in the settings."
HOOK = {"name": "pager", "url": "https://example.org/hook", "topics": ["backups"]}


@pytest.fixture
def pager(laptop: Enrolled, settings: Settings) -> Endpoint:
    """An endpoint of an account that was closed afterwards."""
    settings.REGION_OPTIONS = {"A_CONTINENT": "europe", "B_CONTINENT": "north-america"}
    account = laptop.vault.account
    chosen = endpoints.Settings("pager", "https://example.org/hook", [Topic.BACKUPS])
    made = endpoints.add(account, kind=Endpoint.Kind.WEBHOOK, chosen=chosen, actor=SERVICE)
    close(account, reason="owner", actor=SERVICE)
    return made


def picture() -> list[object]:
    return [
        list(Account.objects.values_list("name", "continent")),
        list(Endpoint.objects.values_list("name", "url", "topics", "removed_at")),
        AuditEvent.objects.count(),
    ]


def test_what_pages_refuse(sure: Client, pager: Endpoint) -> None:
    before = picture()
    for path, said in [
        ("/settings/account/", {"name": "Other"}),
        ("/account/continent/", {"continent": "europe"}),
        ("/settings/notifications/endpoints/add/", HOOK | {"kind": "webhook"}),
        (f"/settings/notifications/endpoints/{pager.public_id}/", HOOK | {"name": "other"}),
    ]:
        assert SAID in text(sure.post(path, said, follow=True)), path
    assert picture() == before


def test_what_the_api_refuses(pager: Endpoint) -> None:
    alice = program(pager.account)
    before = picture()[:2]
    for method, path, said in [
        ("PATCH", "account/", {"name": "Other"}),
        ("PATCH", "account/", {"continent": "europe"}),
        ("POST", "endpoints/", HOOK | {"kind": "webhook"}),
        ("PATCH", f"endpoints/{pager.public_id}/", HOOK | {"name": "other"}),
        ("POST", "devices/", {"name": "other"}),
    ]:
        told = alice.ask(method, path, said, idempotency_key=f"k{path}")
        assert (told.status_code, told.json()["detail"]) == (409, SAID), path
        assert told.json()["code"] == ("limit" if path == "devices/" else "closed")
    assert picture()[:2] == before
    assert not IdempotentRequest.objects.exists()


def test_what_protects_somebody_goes_on(alice: Client, pager: Endpoint, laptop: Enrolled) -> None:
    program(pager.account)
    by_api = Program(program(pager.account).token)
    path = f"endpoints/{pager.public_id}/"
    assert by_api.post(f"{path}key/").status_code == 200
    token = ApiToken.objects.earliest("pk")
    assert by_api.ask("DELETE", f"tokens/{token.prefix}/").status_code == 204
    vault = f"vaults/{laptop.vault.public_id}/credentials/"
    assert by_api.post(vault, {"scope": "restore"}).status_code == 201
    assert by_api.ask("DELETE", f"{vault}{laptop.first.credential.prefix}/").status_code == 204
    assert by_api.ask("PATCH", "notifications/", {"backups": False}).status_code == 200
    assert by_api.ask("DELETE", path).status_code == 204


def test_a_computer_with_a_continent_is_not_added_to_one(
    alice: Client, account: Account, settings: Settings, regions: list[Region]
) -> None:
    settings.REGION_OPTIONS = {"A_CONTINENT": "europe", "B_CONTINENT": "north-america"}
    close(account, reason="owner", actor=SERVICE)
    page = send_once(alice, "/devices/add/", {"name": "laptop", "continent": "europe"})
    assert SAID in text(page)
    assert Account.objects.get().continent == ""
