"""The pages about what was removed: said loudly, and accepted by whoever proves who they are."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.access import accounts_of
from accounts.audit import SERVICE
from accounts.models import AuditEvent, User
from backup_service import clock
from storage.models import Credential, StoredObject, Undelete, Vault, VaultEvent
from storage.rewind import history, worker
from storage.vaults.enrolment import Enrolled, create_vault
from tests.support.pages import Client, text
from tests.unit.website.conftest import PASSWORD, back_up, remove_all

pytestmark = pytest.mark.django_db


@pytest.fixture
def wiped(laptop: Enrolled) -> Vault:
    back_up(laptop)
    Vault.objects.update(wiped_at=clock.now())
    return laptop.vault


def address(vault: Vault) -> str:
    return reverse("accept_removal", args=[vault.public_id])


def test_the_page_says_so_and_what_to_do(alice: Client, wiped: Vault) -> None:
    page = text(alice.get(reverse("vault", args=[wiped.public_id])))
    assert "Nearly everything was removed" in page
    assert "at risk" in page
    assert "at risk" in text(alice.get("/dashboard/"))


def test_it_is_accepted_after_the_password(alice: Client, wiped: Vault) -> None:
    asked = alice.post(address(wiped))
    assert asked["Location"].startswith("/accounts/reauthenticate/")
    wiped.refresh_from_db()
    assert wiped.wiped_at is not None
    done = alice.post(asked["Location"], {"password": PASSWORD})
    assert done.status_code == 302
    wiped.refresh_from_db()
    assert wiped.wiped_at is None
    alice.post(address(wiped))  # again, by a reload
    assert AuditEvent.objects.filter(verb="vault.accept-removal").count() == 1
    assert "Nothing to say" in text(alice.get(address(wiped)))


def test_a_refusal_is_on_the_page(alice: Client, laptop: Enrolled) -> None:
    back_up(laptop)
    Vault.objects.update(
        refused_at=clock.now(), refused_status=507, refused_text="Over quota: <b>5</b> GB."
    )
    page = text(alice.get("/dashboard/"))
    assert "refused" in page
    assert "Over quota: &lt;b&gt;5&lt;/b&gt; GB." in page


def test_what_happened_is_listed(alice: Client, laptop: Enrolled) -> None:
    back_up(laptop)
    page = text(alice.get(reverse("vault", args=[laptop.vault.public_id])))
    assert "A backup was completed: 3 kB added" in page


@pytest.fixture
def emptied(laptop: Enrolled) -> Vault:
    """Three backups, and somebody who has removed them all."""
    return remove_all(laptop)


def prove(browser: Client) -> None:
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})


def url(name: str, vault: Vault) -> str:
    return reverse(name, args=[vault.public_id])


def wish(vault: Vault) -> dict[str, str]:
    """What the page's button for the newest removal sends."""
    (removal,) = history.removals_of(vault, 5)
    return {"what": "all", "to": removal.moment, "credential": removal.credential}


def test_a_credential_is_called_as_its_owner_calls_it(alice: Client, emptied: Vault) -> None:
    Credential.objects.filter(scope="maintain").update(label="restic on the PC")
    fields = wish(emptied) | {"what": "credential"}
    page = text(alice.get(url("snapshots", emptied)))
    table = page.split('id="removals"')[1].split("</table>")[0]
    assert table.count("restic on the PC") == 2
    prove(alice)
    assert "the credential <code>restic on the PC</code>" in text(
        alice.post(url("undelete", emptied), fields)
    )


def test_the_whole_way(alice: Client, emptied: Vault) -> None:
    page = text(alice.get(url("snapshots", emptied)))
    fields = wish(emptied)
    assert fields["to"] in page
    assert "3 snapshots, 9 objects in all" in page
    asked = alice.post(url("undelete", emptied), fields)
    assert asked["Location"].startswith("/accounts/reauthenticate/")
    prove(alice)
    look = alice.post(url("undelete", emptied), fields)
    assert "Bring back 9 objects" in text(look)
    assert not Undelete.objects.exists()
    form = {**fields, "step": "go"}
    done = alice.post(url("undelete", emptied), form)
    row = Undelete.objects.get()
    assert done["Location"] == reverse("undelete_progress", args=[emptied.public_id, row.pk])
    assert "0 of 9 objects are back" in text(alice.get(done["Location"]))
    assert "already" in text(alice.post(url("undelete", emptied), form))  # sent twice
    worker.undelete_due()
    page = text(alice.get(done["Location"]))
    assert "9 objects are back, 3 snapshots among them" in page
    assert "nothing to do" in text(alice.post(url("undelete", emptied), form))  # and again
    assert Undelete.objects.count() == 1
    assert StoredObject.objects.live().filter(type="snapshots").count() == 3
    assert "at risk" not in text(alice.get(url("vault", emptied)))
    verbs = AuditEvent.objects.filter(verb__startswith="vault.undelete").order_by("pk")
    assert list(verbs.values_list("verb", "actor_label")) == [
        ("vault.undelete", "alice@example.org"),
        ("vault.undeleted", "alice@example.org"),
    ]


def test_chosen_snapshots_and_one_credential(alice: Client, emptied: Vault) -> None:
    prove(alice)
    names = list(StoredObject.objects.filter(type="snapshots").values_list("name", flat=True))
    fields: dict[str, object] = {"what": "snapshots", "snapshot": names[:1]}
    page = text(alice.post(url("undelete", emptied), fields))
    assert "1 of them is a snapshot" in page
    assert "Bring back 7 objects" in page
    fields = {**wish(emptied), "what": "credential"}
    assert "Bring back 9 objects" in text(alice.post(url("undelete", emptied), fields))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "This field is required"),
        ({"what": "all"}, "Say to which moment"),
        ({"what": "all", "to": "soon"}, "Enter a valid date/time"),
        ({"what": "all", "to": "2020-01-01T00:00"}, "kept for 30 days"),
        ({"what": "all", "to": "9999-12-31T23:59"}, "not come yet"),
        ({"what": "all", "to": "0001-01-01T00:00:00+14:00"}, "Enter a valid date/time"),
        ({"what": "all", "to": "9999-12-31T23:59:59-14:00"}, "Enter a valid date/time"),
        ({"what": "snapshots"}, "Choose at least one"),
        ({"what": "snapshots", "snapshot": ["<b>x</b>"]}, "named by at least"),
        ({"what": "snapshots", "snapshot": ["e" * 64] * 101}, "Choose at most 100"),
        ({"what": "credential", "to": "2026-01-01T00:00"}, "no such credential"),
    ],
)
def test_what_is_wrong_is_said(
    alice: Client, emptied: Vault, fields: dict[str, object], said: str
) -> None:
    prove(alice)
    answer = alice.post(url("undelete", emptied), fields)
    assert answer.status_code == 200
    assert said in text(answer)
    assert not Undelete.objects.exists()


def test_an_auditor_looks_and_brings_nothing_back(alice: Client, emptied: Vault) -> None:
    emptied.account.memberships.update(role="auditor")
    assert alice.get(url("snapshots", emptied)).status_code == 200
    assert alice.post(url("undelete", emptied), wish(emptied)).status_code == 403


def test_another_credential_of_another_account(alice: Client, bob: Client, emptied: Vault) -> None:
    other = create_vault(
        accounts_of(User.objects.get(email="bob@example.org")).get(), name="b", actor=SERVICE
    )
    prove(alice)
    fields = {**wish(emptied), "what": "credential"}
    fields["credential"] = other.first.credential.prefix
    assert "no such credential" in text(alice.post(url("undelete", emptied), fields))
    row = Undelete.objects.create(vault=other.vault, actor_label="b", removed_before=clock.now())
    foreign = reverse("undelete_progress", args=[emptied.public_id, row.pk])
    assert alice.get(foreign).status_code == 404


def test_the_history_makes_few_queries_however_long_it_is(alice: Client, laptop: Enrolled) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert alice.get(url("snapshots", laptop.vault)).status_code == 200
        return len(captured)

    back_up(laptop)
    few = queries()
    vault, by = laptop.vault, Credential.objects.get()
    StoredObject.objects.bulk_create(
        StoredObject(
            vault=vault,
            type="snapshots",
            name=f"{n:064x}",
            size=1,
            sha256=f"{n:064x}",
            sequence=1000 + n,
            created_at=clock.now(),
            created_by=by,
        )
        for n in range(1000)
    )
    VaultEvent.objects.bulk_create(
        VaultEvent(
            vault=vault, kind="removal", first_at=clock.now(), last_at=clock.now(), credential=by
        )
        for _ in range(1000)
    )
    assert queries() == few <= 12
    assert "1,001 snapshots" in text(alice.get(url("snapshots", vault) + "?page=3"))
