"""The page of notifications: what a member is mailed, and the systems that are told."""

import pytest

from accounts.models import (
    Account,
    AuditEvent,
    Device,
    Endpoint,
    MailPreference,
    Membership,
)
from accounts.notifications.notify import notify
from accounts.notifications.registry import kind_of
from storage.vaults.enrolment import Enrolled
from tests.support.pages import Client, read, text
from tests.unit.website.conftest import PASSWORD, client_of, person

pytestmark = pytest.mark.django_db
PAGE = "/settings/notifications/"
ADD = f"{PAGE}endpoints/add/"
HOOK = {
    "kind": "webhook",
    "name": "Pager",
    "url": "https://example.org/hook",
    "topics": ["backups", "security"],
}


def test_what_is_there_at_first(alice: Client) -> None:
    page = alice.get(PAGE)
    assert "There was nothing to tell so far" in text(page)
    assert not read(page).refused


def test_choosing_mails(alice: Client, account: Account) -> None:
    response = alice.post(PAGE, {"backups": "on", "reports": "weekly"}, follow=True)
    assert "Saved." in text(response)
    chosen = MailPreference.objects.get(membership__account=account)
    assert (chosen.backups, chosen.billing, chosen.reports) == (True, False, "weekly")
    assert AuditEvent.objects.latest("pk").verb == "mail.choose"
    assert "chose what alice@example.org is mailed about" in text(alice.get("/activity/"))


def test_a_rhythm_that_there_is_not(alice: Client) -> None:
    assert "not one of the available choices" in text(alice.post(PAGE, {"reports": "hourly"}))
    assert not MailPreference.objects.exists()


def test_an_endpoint_from_beginning_to_end(sure: Client, account: Account) -> None:
    alice = sure
    page = alice.post(ADD, HOOK, follow=True)
    endpoint = Endpoint.objects.get(account=account)
    assert "whsec_" in text(page)
    path = f"{PAGE}endpoints/{endpoint.public_id}/"
    alice.post(path, HOOK | {"name": "Other", "topics": ["backups"]})
    endpoint.refresh_from_db()
    assert (endpoint.name, endpoint.topics) == ("Other", ["backups"])
    assert "on its way" in text(alice.post(f"{path}test/", follow=True))
    assert "wait a minute" in text(alice.post(f"{path}test/", follow=True))
    assert "Other" in text(alice.get(PAGE))
    alice.post(f"{path}remove/")
    assert alice.get(path).status_code == 404
    assert alice.post(f"{path}explode/").status_code == 404


def test_its_key_is_for_whoever_is_there(sure: Client, account: Account) -> None:
    sure.post(ADD, HOOK)
    endpoint = Endpoint.objects.get(account=account)
    path = f"{PAGE}endpoints/{endpoint.public_id}/"
    stolen = client_of(account.memberships.get().user)  # signed in long ago
    assert "whsec_" not in text(stolen.get(path))
    for act in ("show", "key", "remove"):
        assert stolen.post(f"{path}{act}/")["Location"].startswith("/accounts/reauthenticate/")
    endpoint.refresh_from_db()
    assert endpoint.removed_at is None
    stolen.post(f"{path}show/")
    back = stolen.post("/accounts/reauthenticate/", {"password": PASSWORD, "next": path})
    assert "whsec_" in text(stolen.get(back["Location"]))


def test_a_system_is_added_by_whoever_is_there(alice: Client, account: Account) -> None:
    asked = alice.post(ADD, HOOK)
    assert asked["Location"].startswith("/accounts/reauthenticate/")
    assert not Endpoint.objects.exists()
    alice.post("/accounts/reauthenticate/", {"password": PASSWORD, "next": ADD})
    assert Endpoint.objects.get(account=account).url == HOOK["url"]


def test_notices_are_led_elsewhere_by_whoever_is_there(sure: Client, account: Account) -> None:
    sure.post(ADD, HOOK)
    made = Endpoint.objects.get(account=account)
    left_open = client_of(account.memberships.get().user)
    elsewhere = HOOK | {"url": "https://example.org/elsewhere"}
    answer = left_open.post(f"{PAGE}endpoints/{made.public_id}/", elsewhere)
    assert answer["Location"].startswith("/accounts/reauthenticate/")
    made.refresh_from_db()
    assert made.url == HOOK["url"]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("url", "file:///etc/passwd", "begins with https://"),
        ("url", "https://user:pw@example.org/", "no password"),
        ("name", "x" * 101, "at most 100 characters"),
        ("topics", ["backups", "gossip"], "not one of the available choices"),
        ("topics", [], "required"),
        ("kind", "pigeon", "not one of the available choices"),
    ],
)
def test_what_is_refused(sure: Client, field: str, value: object, said: str) -> None:
    page = sure.post(ADD, HOOK | {field: value})
    assert said in text(page)
    assert not Endpoint.objects.exists()


def test_an_auditor_chooses_own_mails_only(account: Account) -> None:
    user = person("audit@example.org")
    Membership.objects.create(account=account, user=user, role=Membership.Role.AUDITOR)
    auditor = client_of(user)
    assert auditor.post(PAGE, {"backups": "on", "reports": "never"}).status_code == 302
    assert auditor.post(ADD, HOOK).status_code == 403
    assert not Endpoint.objects.exists()


def test_notices_are_listed(alice: Client, account: Account) -> None:
    assert kind_of("endpoint-failing")
    notify(account, "endpoint-failing", key="k", endpoint="<i>Pager</i>", error="gone")
    page = alice.get(PAGE)
    assert "Notices no longer reach “&lt;i&gt;Pager&lt;/i&gt;”" in text(page)


def test_names_of_a_hundred_characters_and_html(sure: Client) -> None:
    name = "<script>" + "w" * 92
    page = sure.post(ADD, HOOK | {"name": name}, follow=True)
    assert "&lt;script&gt;www" in text(page)
    assert not read(page).refused


def test_who_sees_only_their_own_computers_reads_of_those_alone(
    alice: Client, account: Account, laptop: Enrolled
) -> None:
    user = person("mia@example.org")
    seat = Membership.objects.create(account=account, user=user, role=Membership.Role.MEMBER)
    mia = client_of(user)
    assert "A new credential for “laptop”" in text(alice.get(PAGE))
    assert "laptop" not in text(mia.get(PAGE))
    device = laptop.vault.device
    notify(account, "backup-never", key="n", device=device, vault="v", name="laptop", added="May")
    assert "is not backed up yet" not in text(mia.get(PAGE))
    Device.objects.update(member=seat)
    assert "“laptop” is not backed up yet" in text(mia.get(PAGE))
