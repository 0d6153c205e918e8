"""Requests that nobody's browser sends by itself: what becomes of them on every page alike."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account, Device, Membership, User
from storage.models import Region, Vault
from storage.vaults.enrolment import Enrolled
from tests.support.customers.api import program
from tests.support.pages import Client, text
from tests.unit.website.conftest import PASSWORD, enrol, owner

pytestmark = pytest.mark.django_db
ELSEWHERE = [
    "https://evil.example/",
    "//evil.example/",
    "/\\evil.example/",
    "\\\\evil.example",
    "https:evil.example",
    "javascript:alert(1)",
    "\t//evil.example/",
    "http://127.0.0.1:8000@evil.example/",
]


@pytest.mark.parametrize("there", ELSEWHERE)
def test_no_form_leads_to_another_site(account: Account, there: str) -> None:
    client = Client()
    email = account.memberships.get().user.email
    sign_in = {"login": email, "password": PASSWORD, "next": there}
    answers = [
        client.get("/accounts/signup/", {"next": there}),
        client.post("/accounts/login/", sign_in),
        client.get("/accounts/login/", {"next": there}),  # signed in by now
        client.post("/accounts/reauthenticate/", {"password": PASSWORD, "next": there}),
        client.get("/", {"language": "de", "next": there}),
        client.get("/billing/return/", {"next": there}),
        client.post("/accounts/logout/", {"next": there}),
    ]
    for answer in answers:
        place = answer.get("Location", "/")
        assert place.startswith("/"), place
        assert not place.startswith(("//", "/\\")), place
        assert "evil" not in place
        assert f'href="{there}"' not in text(answer)


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1:8000.evil.example", "a@127.0.0.1", "[::1", "", "x" * 300]
)
@pytest.mark.parametrize("path", ["/", "/accounts/login/", "/api/v1/account/", "/admin/"])
def test_another_host_gets_nothing(client: Client, host: str, path: str) -> None:
    answer = client.get(path, headers={"Host": host})
    assert answer.status_code == 400
    assert "evil" not in text(answer)


def test_a_form_takes_its_own_fields_only(alice: Client, laptop: Enrolled) -> None:
    """What else a row has is not set by who sends its name."""
    account = laptop.vault.account
    bobs = owner("bob@example.org")
    before = Account.objects.values().get(pk=account.pk)
    more = {"state": "erased", "public_id": "x", "continent": "asia", "is_staff": "1", "id": "1"}
    alice.post("/settings/account/", {"name": "home", **more})
    assert Account.objects.values().get(pk=account.pk) == before | {"name": "home"}
    more |= {"email": "root@example.org", "is_superuser": "1", "password": "x"}
    person = User.objects.values().get(memberships__account=account)
    alice.post("/settings/", {"name": "Alice", "time_zone": "", **more})
    assert User.objects.values().get(pk=person["id"]) == person | {"name": "Alice"}
    more = {"account": str(bobs.pk), "device": "", "wiped_at": "", "expected_interval": "1"}
    vault = Vault.objects.values().get()
    alice.post(f"/vaults/{laptop.vault.public_id}/rename/", {"name": "other", **more})
    assert Vault.objects.values().get() == vault | {"name": "other"}


def test_a_program_sets_what_the_document_names_only(laptop: Enrolled) -> None:
    account = laptop.vault.account
    bobs = owner("bob@example.org")
    asks = program(account)
    before, vault = Account.objects.values().get(pk=account.pk), Vault.objects.values().get()
    more = {"id": 1, "plan": "plus", "quota": 10**15, "state": "closed", "account": bobs.pk}
    told = asks.ask("PATCH", "account/", {"name": "home", **more, "public_id": "x"})
    assert (told.status_code, told.json()["plan"]) == (200, "personal")
    assert Account.objects.values().get(pk=account.pk) == before | {"name": "home"}
    asks.ask("PATCH", f"vaults/{laptop.vault.public_id}/", {"name": "v", **more, "device": None})
    assert Vault.objects.values().get() == vault | {"name": "v"}
    made = asks.post("devices/", {"name": "second", **more, "member": None}).json()
    device = Device.objects.get(public_id=made["device"])
    assert (device.account, device.member) == (account, Membership.objects.get(account=account))


def test_ten_thousand_computers_of_long_names(
    alice: Client, account: Account, regions: list[Region]
) -> None:
    """However they came about: an account has 200 vaults at most, and retired ones stay."""
    enrol(account, "laptop")
    alice.get("/dashboard/")
    with CaptureQueriesContext(connection) as few:
        alice.get("/dashboard/")
    rows = (Device(account=account, name=f"{n:05}" + "x" * 95) for n in range(10_000))
    Device.objects.bulk_create(rows, batch_size=1000)
    with CaptureQueriesContext(connection) as many:
        page = alice.get("/dashboard/")
    assert page.status_code == 200
    assert len(page.content) < 40_000
    assert len(many) == len(few)
    told = program(account).get("devices/?limit=200")
    assert (told.status_code, len(told.json()["results"])) == (200, 200)
