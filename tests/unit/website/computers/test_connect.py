"""An owner connects a computer by the code that it shows."""

import pytest

from accounts.audit import SERVICE
from accounts.models import Account, Device, Membership
from storage.device_authorization import grant
from storage.models import Credential, DeviceAuthorization, Region, Vault
from storage.vaults.devices import retire_device
from storage.vaults.enrolment import Enrolled
from tests.support.pages import Client, read, text
from tests.unit.website.conftest import (
    back_up,
    client_of,
    enrol,
    just_signed_in,
    owner,
    person,
)

pytestmark = pytest.mark.django_db
PAGE = "/connect/"


@pytest.fixture
def begun(regions: list[Region]) -> grant.Begun:
    return grant.begin(computer="Anna’s <b>laptop</b>", program="nightsafe", address="192.0.2.7")


@pytest.fixture
def alice(account: Account) -> Client:
    return just_signed_in("alice@example.org")


def connect(client: Client, begun: grant.Begun, **said: str) -> str:
    body = {"code": begun.user_code, "where": "new", "name": "Anna", "scope": "backup"} | said
    return text(client.post(PAGE, body | {"act": "connect"}, follow=True))


def test_a_new_computer(alice: Client, begun: grant.Begun, account: Account) -> None:
    page = alice.post(PAGE, {"code": begun.user_code.lower()})
    assert "192.0.2.7" in text(page)
    assert "&lt;b&gt;laptop" in text(page)
    assert not read(page).refused
    assert not Vault.objects.exists()  # looking decides nothing
    assert "is connected" in connect(alice, begun)
    collected = grant.collect(begun.device_code)
    assert (collected.vault.name, collected.vault.account) == ("Anna", account)
    assert collected.made.credential.has_setup_right(collected.made.credential.created_at)
    assert "There is no computer with this code" in connect(alice, begun)


def test_a_vault_that_is_there(alice: Client, begun: grant.Begun, laptop: Enrolled) -> None:
    connect(alice, begun, where=laptop.vault.public_id, scope="restore", name="")
    collected = grant.collect(begun.device_code)
    assert (collected.vault, collected.made.credential.scope) == (laptop.vault, "restore")
    assert Vault.objects.count() == 1


def test_its_credential_is_called_as_the_owner_calls_it(
    alice: Client, begun: grant.Begun, laptop: Enrolled
) -> None:
    connect(alice, begun, where=laptop.vault.public_id, scope="restore", name="Newlaptop")
    grant.collect(begun.device_code)
    assert "Newlaptop" in text(alice.get(f"/vaults/{laptop.vault.public_id}/"))


def test_going_on_in_the_vault_of_a_retired_computer(
    begun: grant.Begun, regions: list[Region]
) -> None:
    """It is watched again; a plan that is used up says what to do."""
    enrolled = enrol(owner("free@example.org", plan="free"), "desktop")
    client = just_signed_in("free@example.org")
    back_up(enrolled)
    retire_device(Device.objects.get(), actor=SERVICE)
    page = f"/vaults/{enrolled.vault.public_id}/"
    assert "no backup is expected" in text(client.get(page))
    other = Device.objects.create(account=enrolled.vault.account, name="other")
    refused = connect(client, begun, where=enrolled.vault.public_id, name="Anna")
    assert "Your plan has room for 1 computer. Retire one" in refused
    other.delete()
    assert "is connected" in connect(client, begun, where=enrolled.vault.public_id, name="Anna")
    grant.collect(begun.device_code)
    shown = text(client.get(page))
    assert "Retire the computer Anna" in shown
    assert "no backup is expected" not in shown


def test_decided_in_another_tab_no_vault_is_left(
    alice: Client, begun: grant.Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both tabs have found the request before either of them has decided."""
    found = grant.find

    def decided_since(typed: str) -> DeviceAuthorization | None:
        asked = found(typed)
        DeviceAuthorization.objects.filter(pk=begun.request.pk).update(state="denied")
        return asked

    monkeypatch.setattr(grant, "find", decided_since)
    assert "There is no computer with this code" in connect(alice, begun)
    assert not Vault.objects.exists()
    assert not Device.objects.exists()


def test_refused(alice: Client, begun: grant.Begun) -> None:
    page = alice.post(PAGE, {"code": begun.user_code, "act": "deny"}, follow=True)
    assert "was refused" in text(page)
    with pytest.raises(grant.PollError, match="access_denied"):
        grant.collect(begun.device_code)


def test_another_tenant_s_vault(alice: Client, begun: grant.Begun, laptop: Enrolled) -> None:
    owner("bob@example.org")
    bob = just_signed_in("bob@example.org")
    page = connect(bob, begun, where=laptop.vault.public_id)
    assert "is not one of the available choices" in page
    assert grant.find(begun.user_code) is not None


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ({"name": ""}, "needs a name"),
        ({"scope": "restore"}, "choose the vault to restore from"),
        ({"scope": "maintain"}, "not one of the available choices"),
        ({"name": "laptop"}, "There is a computer or a vault of this name already"),
    ],
)
def test_what_is_refused(
    alice: Client, begun: grant.Begun, laptop: Enrolled, said: dict[str, str], answer: str
) -> None:
    assert answer in connect(alice, begun, **said)
    assert DeviceAuthorization.objects.get().state == "pending"
    assert Credential.objects.count() == 1


def test_whoever_only_looks_connects_nothing(account: Account, begun: grant.Begun) -> None:
    Membership.objects.create(account=account, user=person("eve@example.org"), role="auditor")
    auditor = just_signed_in("eve@example.org")
    assert auditor.post(PAGE, {"code": begun.user_code, "act": "connect"}).status_code == 403


def test_an_open_browser_is_not_enough(account: Account, begun: grant.Begun) -> None:
    stale = client_of(account.memberships.get().user)
    response = stale.post(PAGE, {"code": begun.user_code, "act": "connect", "where": "new"})
    assert response.status_code == 302
    assert response["Location"].startswith("/accounts/reauthenticate/")


def test_guessing_ends_soon(alice: Client, begun: grant.Begun) -> None:
    for _ in range(10):
        assert "There is no computer" in text(alice.post(PAGE, {"code": "BBBB-BBBB"}))
    assert "Too many wrong codes" in text(alice.post(PAGE, {"code": begun.user_code}))


def test_the_plan_s_limit_is_said(begun: grant.Begun, regions: list[Region]) -> None:
    owner("free@example.org", plan="free")
    client = just_signed_in("free@example.org")
    connect(client, begun)
    other = grant.begin(computer="second", program="x", address=None)
    assert "Your plan has room for 1 computer" in connect(client, other, name="second")


def test_nothing_is_chosen_for_somebody_who_may_want_to_restore(
    alice: Client, begun: grant.Begun, laptop: Enrolled
) -> None:
    page = text(alice.post(PAGE, {"code": begun.user_code}))
    assert page.index("What is it to do?") < page.index("Which vault is it for?")
    new = page[page.index('value="new"') :].split(">")[0]
    assert "checked" not in new


def test_without_a_vault_a_new_one_is_chosen(alice: Client, begun: grant.Begun) -> None:
    page = text(alice.post(PAGE, {"code": begun.user_code}))
    assert "checked" in page[page.index('value="new"') :].split(">")[0]
