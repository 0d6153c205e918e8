"""Adding and retiring devices, and the secret that is shown once."""

import io
import json
import re

import pytest
from django.core.management import call_command
from django.db import connection
from django.urls import reverse

from accounts.audit import SERVICE
from accounts.models import Account, AuditEvent, Device, Membership, User
from backup_service import clock
from billing.actions import subscribe
from storage.models import Credential, Region, Vault
from storage.vaults import credentials
from storage.vaults.credentials import recognise
from storage.vaults.enrolment import Enrolled
from tests.support.pages import Client, send_once, text
from tests.support.responses import Response
from tests.unit.website.conftest import back_up, client_of, enrol

pytestmark = pytest.mark.django_db

ADD = "/devices/add/"
HAND_MADE = {"scope": "maintain", "label": "restic on the PC"}


def secret_in(response: Response) -> tuple[str, str]:
    [pair] = re.findall(r"http://(ns\w+):([\w-]{43})@", text(response).split("<details>")[0])
    return pair


def whole_database() -> str:
    out = io.StringIO()
    call_command("dumpdata", stdout=out)
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT * FROM "{table}"')
            out.write(json.dumps(cursor.fetchall(), default=str))
    return out.getvalue()


def test_adding_a_device_shows_how_to_connect(alice: Client, account: Account) -> None:
    response = send_once(alice, ADD, {"name": "Anna’s laptop"})
    page = text(response)
    prefix, secret = secret_in(response)
    vault = Vault.objects.get(name="Anna’s laptop")
    assert f"restic -r rest:http://127.0.0.1:8001/restic/{vault.public_id}/ init" in page
    assert f"RESTIC_REST_USERNAME={prefix}" in page
    assert f"RESTIC_REST_PASSWORD={secret}" in page
    for line in ('href="/download/"', "nightsafe login", "nightsafe init", "nightsafe backup ~/"):
        assert line in page
    assert "The passphrase is yours alone." in page
    credential = recognise(prefix, secret)
    assert credential is not None
    assert credential.scope == "backup"
    assert credential.setup_until is not None


def test_the_secret_is_shown_once_and_written_nowhere(
    alice: Client, account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    response = send_once(alice, ADD, {"name": "laptop"})
    _, secret = secret_in(response)
    assert "no-store" in response["Cache-Control"]
    assert secret not in whole_database()
    assert secret not in json.dumps(dict(alice.session), default=str)
    assert secret not in caplog.text
    assert secret not in str(response.cookies)
    vault = Vault.objects.get()
    for address in ("/dashboard/", f"/vaults/{vault.public_id}/", "/activity/"):
        assert secret not in text(alice.get(address))


def test_a_reload_makes_no_other_one(alice: Client, account: Account) -> None:
    [value] = re.findall(r'name="once" value="([^"]+)"', text(alice.get(ADD)))
    form = {"name": "laptop", "once": value}
    _, secret = secret_in(alice.post(ADD, form))
    for again in (form, form | {"name": "other"}, {"name": "other"}, form | {"once": "x"}):
        response = alice.post(ADD, again, follow=True)
        assert "What it showed is shown once" in text(response)
        assert secret not in text(response)
    assert Device.objects.count() == Credential.objects.count() == 1


def test_the_search_of_the_database_would_find_it(laptop: Enrolled) -> None:
    Credential.objects.update(prefix="planted-secret")
    assert "planted-secret" in whole_database()


def test_a_name_in_use_is_refused(alice: Client, laptop: Enrolled) -> None:
    page = text(send_once(alice, ADD, {"name": "laptop"}))
    assert "A computer of this name is in use already." in page
    assert Device.objects.count() == 1


def test_the_name_of_a_retired_device_is_free_again(alice: Client, laptop: Enrolled) -> None:
    """Its vault keeps everything under a name that says what it is, however often."""
    for _ in range(2):
        device = Device.objects.get(retired_at=None)
        alice.post(reverse("device_retire", args=[device.public_id]))
        assert "laptop" in text(send_once(alice, ADD, {"name": "laptop"}))
    names = list(Vault.objects.order_by("pk").values_list("name", flat=True))
    today = f"{clock.now():%Y-%m-%d}"
    assert names == [f"laptop (retired {today})", f"laptop (retired {today}) 2", "laptop"]
    assert Vault.objects.get(pk=laptop.vault.pk).public_id == laptop.vault.public_id


def test_the_plan_limits_devices(alice: Client, account: Account, laptop: Enrolled) -> None:
    subscribe(account, plan="free", actor=SERVICE)
    page = text(send_once(alice, ADD, {"name": "second"}))
    assert "Your plan has room for 1 computer." in page
    assert Device.objects.count() == 1


@pytest.mark.parametrize("name", ["", "   ", "x" * 101])
def test_bad_names_are_refused_with_a_reason(alice: Client, account: Account, name: str) -> None:
    response = alice.post(ADD, {"name": name})
    assert "errorlist" in text(response)
    assert Device.objects.count() == 0


def test_a_name_that_no_database_takes_is_refused(alice: Client, account: Account) -> None:
    assert alice.post(ADD, {"name": "a\x00b"}).status_code == 400
    assert Device.objects.count() == 0


def test_markup_in_names_is_only_text(alice: Client, account: Account) -> None:
    assert "<b>bold" not in text(send_once(alice, ADD, {"name": "<b>bold</b> {x}"}))
    assert "<b>bold" not in text(alice.get("/activity/"))


def test_another_name(alice: Client, bob: Client, account: Account, laptop: Enrolled) -> None:
    enrol(account, "other")
    address = reverse("device_rename", args=[device_of(laptop).public_id])
    for bad in ("other", "", "x" * 101):
        assert "errorlist" in text(alice.post(address, {"name": bad}))
    assert bob.post(address, {"name": "mine"}).status_code == 404
    for _ in range(2):  # the second changes nothing
        alice.post(address, {"name": "Anna’s <b>laptop</b>"})
    device = Device.objects.get(pk=device_of(laptop).pk)
    assert device.name == "Anna’s <b>laptop</b>"
    assert Vault.objects.get(pk=laptop.vault.pk).name == "laptop"
    assert AuditEvent.objects.filter(verb="device.rename").count() == 1
    alice.post(reverse("device_retire", args=[device.public_id]))
    assert alice.get(address).status_code == 404


def test_retiring_asks_first(alice: Client, laptop: Enrolled) -> None:
    device = device_of(laptop)
    page = text(alice.get(reverse("device_retire", args=[device.public_id])))
    assert "These credentials end at once" in page
    assert laptop.first.credential.prefix in page
    assert "These stay" not in page
    device.refresh_from_db()
    assert device.retired_at is None


def test_retiring_ends_the_credentials_and_keeps_the_vault(alice: Client, laptop: Enrolled) -> None:
    device = device_of(laptop)
    response = alice.post(reverse("device_retire", args=[device.public_id]), follow=True)
    assert "is retired" in text(response)
    device.refresh_from_db()
    assert device.retired_at is not None
    assert recognise(laptop.first.credential.prefix, laptop.first.secret) is None
    assert Vault.objects.count() == 1


def test_retiring_ends_no_other_computer_s_credentials(sure: Client, laptop: Enrolled) -> None:
    """The page says before which end and which stay, and that is what happens."""
    back_up(laptop)
    send_once(sure, f"/vaults/{laptop.vault.public_id}/credentials/add/", HAND_MADE)
    restorer = credentials.create(laptop.vault, scope="restore", actor=SERVICE, label="Newlaptop")
    by_hand = Credential.objects.get(label=HAND_MADE["label"])
    address = reverse("device_retire", args=[device_of(laptop).public_id])
    ending, staying = text(sure.get(address)).split("These stay")
    assert laptop.first.credential.prefix in ending
    for one in (restorer.credential, by_hand):
        assert one.prefix not in ending
        assert one.label in staying
        assert f"/credentials/{one.prefix}/revoke/" in staying
    sure.post(address)
    in_use = Credential.objects.filter(revoked_at=None)
    assert {one.pk for one in in_use} == {restorer.credential.pk, by_hand.pk}


def test_by_hand_the_computer_that_sets_up_gets_its_own(sure: Client, laptop: Enrolled) -> None:
    """Whoever adds a computer over the API makes its credential so."""
    send_once(sure, f"/vaults/{laptop.vault.public_id}/credentials/add/", HAND_MADE)
    assert Credential.objects.get(label=HAND_MADE["label"]).device == device_of(laptop)


def test_bob_cannot_retire_alices_device(bob: Client, laptop: Enrolled) -> None:
    address = reverse("device_retire", args=[device_of(laptop).public_id])
    assert bob.get(address).status_code == bob.post(address).status_code == 404
    assert recognise(laptop.first.credential.prefix, laptop.first.secret) is not None


def test_an_auditor_looks_and_changes_nothing(
    account: Account, laptop: Enrolled, charlie: Client
) -> None:
    seat = Membership.objects.create(
        account=account, user=_user(charlie), role=Membership.Role.AUDITOR
    )
    auditor = client_of(seat.user)
    assert auditor.get("/dashboard/").status_code == 200
    response = auditor.post(ADD, {"name": "another"})
    assert response.status_code == 403
    assert "Your role in this account is “auditor”" in text(response)
    assert Device.objects.count() == 1


def device_of(enrolled: Enrolled) -> Device:
    device = enrolled.vault.device
    assert device is not None
    return device


def _user(client: Client) -> User:
    return User.objects.get(pk=client.session["_auth_user_id"])


def test_enrolling_here_is_enrolling_there(account: Account, regions: list[Region]) -> None:
    assert enrol(account, "x").url.startswith("http://127.0.0.1:8001/restic/")
