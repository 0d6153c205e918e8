"""The export, closing an account and opening it again, and deleting one's own sign-in."""

import csv
import io
import json
import zipfile
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db.models import QuerySet

from accounts import audit
from accounts.access import Seat
from accounts.audit import SERVICE, Actor
from accounts.audit.verification import verify
from accounts.closing.actions import begin_erasure, close
from accounts.members import invitations
from accounts.models import Account, AuditEvent, Closing, Membership, Notice, User
from backup_service import clock
from billing.models import Subscription
from storage.leaving import persons
from storage.leaving.export import archive, sections
from storage.vaults import credentials
from storage.vaults.enrolment import Enrolled
from tests.support.pages import Client, text
from tests.support.responses import Response
from tests.support.storage.leaving import tables_with
from tests.unit.website.conftest import PASSWORD, back_up, client_of, just_signed_in, person

pytestmark = pytest.mark.django_db
ALICE = "alice@example.org"
PROOF_FIRST = "/accounts/reauthenticate/?next=%2Fsettings%2Fexport%2F"


def unpacked(response: Response) -> zipfile.ZipFile:
    assert response.status_code == 200
    return zipfile.ZipFile(io.BytesIO(response.getvalue()))


def table(found: zipfile.ZipFile, name: str) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = json.loads(found.read(f"{name}.json"))
    lines = list(csv.reader(io.StringIO(found.read(f"{name}.csv").decode("utf-8-sig"))))
    assert len(lines) == (len(rows) + 1 if rows else 0)
    return rows


def test_an_owner_gets_all_that_is_kept(account: Account, laptop: Enrolled) -> None:
    back_up(laptop)
    credentials.create(laptop.vault, scope="restore", actor=SERVICE, label="=1+1")
    found = unpacked(just_signed_in(ALICE).post("/settings/export/"))
    assert found.testzip() is None
    assert [row["email"] for row in table(found, "you/profile")] == [ALICE]
    assert [row["name"] for row in table(found, "backups/computers")] == ["laptop"]
    (vault,) = table(found, "backups/vaults")
    assert (vault["objects_held"], vault["bytes_held"]) == (3, 3000)
    assert "device.add" in {row["verb"] for row in table(found, "account/activity")}
    assert "'=1+1" in found.read("backups/credentials.csv").decode()
    readme = found.read("README.txt").decode()
    assert "Your files are not in here" in readme
    assert "nightsafe restore" in readme
    everything = b"".join(found.read(name) for name in found.namelist())
    user = User.objects.get(email=ALICE)
    assert laptop.first.secret.encode() not in everything
    assert laptop.first.credential.secret_sha256.encode() not in everything
    assert user.password.encode() not in everything
    assert AuditEvent.objects.filter(verb="account.export", account=account).count() == 1


def test_staff_are_not_named_in_it(account: Account) -> None:
    sam = Actor.staff(person("sam@example.org", is_staff=True), address="198.51.100.7")
    audit.record(sam, "account.freeze", account.public_id, account=account, reason="x")
    found = unpacked(just_signed_in(ALICE).post("/settings/export/"))
    (row,) = (one for one in table(found, "account/activity") if one["verb"] == "account.freeze")
    assert (row["actor_label"], row["address"]) == ("the service's staff", None)
    for name in found.namelist():
        assert b"sam@example.org" not in found.read(name)
        assert b"198.51.100.7" not in found.read(name)


def test_a_member_gets_what_is_theirs(account: Account, laptop: Enrolled, bob: Client) -> None:
    anna = person("anna@example.org")
    Membership.objects.create(account=account, user=anna, role="member")
    found = unpacked(just_signed_in("anna@example.org").post("/settings/export/"))
    assert {name.partition("/")[0] for name in found.namelist()} == {"you", "README.txt"}
    assert [row["role"] for row in table(found, "you/seats")] == ["member"]
    everything = b"".join(found.read(name) for name in found.namelist())
    assert b"alice@" not in everything
    assert b"bob@" not in everything


def test_who_proved_it_is_back_at_the_page_with_the_button(account: Account, alice: Client) -> None:
    """A file that came at once would leave the browser at the page that asks for the password."""
    alice.post("/settings/export/")
    response = alice.post(PROOF_FIRST, {"password": PASSWORD})
    assert (response.status_code, response.url) == (302, "/settings/export/")
    unpacked(alice.post("/settings/export/"))


def test_nothing_comes_without_proof_nor_again_and_again(account: Account, alice: Client) -> None:
    response = alice.post("/settings/export/")
    assert (response.status_code, response.url) == (302, PROOF_FIRST)
    browser = just_signed_in(ALICE)
    unpacked(browser.post("/settings/export/"))
    assert "wait a minute" in text(browser.post("/settings/export/", follow=True))
    cache.clear()
    unpacked(browser.post("/settings/export/"))


def test_much_is_read_in_bounded_lots(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sections, "A_READ", 7)
    monkeypatch.setattr(sections, "MOST_ROWS", 25)
    monkeypatch.setattr(archive, "MOST_ROWS", 25)
    user = account.memberships.get().user
    for number in range(40):
        actor = Actor.person(user)
        AuditEvent.objects.create(
            account=account, actor=actor.user, actor_label=ALICE, verb="x", subject=str(number)
        )
    found = unpacked(just_signed_in(ALICE).post("/settings/export/"))
    rows = table(found, "account/activity")
    # The export itself is the newest.
    assert [row["subject"] for row in rows[1:]] == [str(39 - n) for n in range(24)]
    assert (
        "account/activity: 25 rows (the newest; there are more)"
        in found.read("README.txt").decode()
    )


def test_closing_wants_the_name_and_says_when(account: Account, laptop: Enrolled) -> None:
    browser = just_signed_in(ALICE)
    page = text(browser.get("/settings/close/"))
    assert "Download your data first" in page
    assert "further charge" in page
    assert "another name" in text(browser.post("/settings/close/", {"typed": "bob"}))
    assert not Closing.objects.exists()
    page = text(browser.post("/settings/close/", {"typed": "alice"}, follow=True))
    assert "Open the account again" in page
    account.refresh_from_db()
    assert account.state == Account.State.CLOSED
    notice = Notice.objects.get(kind="account-closed")
    assert [one.address for one in notice.deliveries.all()] == [ALICE]
    assert "closed" in text(browser.get("/dashboard/"))


def test_it_opens_again(account: Account) -> None:
    browser = just_signed_in(ALICE)
    browser.post("/settings/close/", {"typed": "alice"})
    page = text(browser.post("/settings/close/reopen/", follow=True))
    assert "is open again" in page
    account.refresh_from_db()
    assert (account.state, account.closed_at) == (Account.State.ACTIVE, None)
    assert not Closing.objects.exists()
    assert "too late" in text(browser.post("/settings/close/reopen/", follow=True))


def test_a_freeze_is_not_lifted_by_closing_and_opening(account: Account) -> None:
    Account.objects.update(state=Account.State.FROZEN)
    browser = just_signed_in(ALICE)
    browser.post("/settings/close/", {"typed": "alice"})
    browser.post("/settings/close/reopen/")
    account.refresh_from_db()
    assert account.state == Account.State.FROZEN


def test_one_closed_for_a_debt_opens_when_it_is_paid(account: Account) -> None:
    close(account, reason=Closing.Reason.UNPAID, actor=SERVICE)
    Subscription.objects.update(unpaid_since=clock.now() - timedelta(days=95))
    browser = just_signed_in(ALICE)
    assert "Open the account again" not in text(browser.get("/settings/close/"))
    page = text(browser.post("/settings/close/reopen/", follow=True))
    assert "Settle it on the page Billing" in page
    assert Closing.objects.exists()


@pytest.mark.parametrize("role", ["admin", "member", "auditor"])
def test_only_an_owner_closes(account: Account, role: str) -> None:
    Membership.objects.create(account=account, user=person("anna@example.org"), role=role)
    anna = just_signed_in("anna@example.org")
    for path in ("/settings/close/", "/settings/close/reopen/"):
        assert anna.post(path, {"typed": "alice"}).status_code == 403
    assert not Closing.objects.exists()


def test_nobody_sees_an_account_that_is_being_erased(account: Account, alice: Client) -> None:
    closing = close(account, reason=Closing.Reason.OWNER, actor=SERVICE)
    Closing.objects.update(step=Closing.Step.COOLING)
    closing.refresh_from_db()
    assert begin_erasure(closing)
    assert alice.get("/settings/members/").status_code == 404
    assert alice.get("/settings/close/").status_code == 404


def test_a_member_deletes_their_sign_in(account: Account, laptop: Enrolled) -> None:
    anna = person("anna@example.org")
    Membership.objects.create(account=account, user=anna, role="member")
    actor = Actor.person(anna)
    credentials.create(laptop.vault, scope="backup", actor=actor)  # and a notice says by whom
    seat = Seat(account.memberships.get(role="owner"))
    invitations.invite(seat, email="bea@example.org", role="member", actor=actor)
    browser = just_signed_in("anna@example.org")
    assert "another name" in text(browser.post("/settings/delete/", {"typed": "x"}))
    page = text(browser.post("/settings/delete/", {"typed": "anna@example.org"}, follow=True))
    assert "Your sign-in is deleted" in page
    assert not User.objects.filter(email="anna@example.org").exists()
    assert browser.get("/dashboard/").status_code == 302
    assert account.memberships.count() == 1
    verbs = AuditEvent.objects.filter(account=account).values_list("verb", flat=True)
    assert "member.erased" in verbs
    assert tables_with(["anna@"]) == {}
    assert "bea@example.org" in str(list(account.invitations.values()))
    assert verify(account.pk).reason == ""


def test_an_only_owner_does_not_delete_their_sign_in(account: Account) -> None:
    browser = just_signed_in(ALICE)
    for page in (
        text(browser.get("/settings/delete/")),  # before anything is typed
        text(browser.post("/settings/delete/", {"typed": ALICE})),
    ):
        assert "only owner" in page
        assert 'name="typed"' not in page
    assert User.objects.filter(email=ALICE).exists()
    Membership.objects.create(account=account, user=person("anna@example.org"), role="owner")
    browser.post("/settings/delete/", {"typed": ALICE})
    assert not User.objects.filter(email=ALICE).exists()


def test_who_becomes_the_only_owner_meanwhile_stays(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They accept the account in one tab and delete their sign-in in another one."""
    mia = person("mia@example.org")
    seat = Membership.objects.create(account=account, user=mia, role="member")
    lock = Account.objects.select_for_update

    def given_meanwhile(**how: Any) -> QuerySet[Account]:
        account.memberships.update(role="admin")
        Membership.objects.filter(pk=seat.pk).update(role="owner")
        return lock(**how)

    monkeypatch.setattr(Account.objects, "select_for_update", given_meanwhile)
    with pytest.raises(persons.OwnerError):
        persons.erase_oneself(mia)
    assert User.objects.filter(pk=mia.pk).exists()


def test_staff_are_asked_to_have_it_done(sam: Client) -> None:
    browser = just_signed_in("sam@example.org")
    page = text(browser.post("/settings/delete/", {"typed": "sam@example.org"}, follow=True))
    assert User.objects.filter(email="sam@example.org").exists()
    assert "staff" in page


def test_names_are_escaped_and_long_ones_do_no_harm(account: Account) -> None:
    name = "<b>" + "x" * 97
    Account.objects.update(name=name)
    browser = client_of(User.objects.get(email=ALICE))
    for path in ("/settings/close/", "/settings/export/", "/settings/delete/"):
        page = browser.get(path)
        assert page.status_code == 200
        assert b"<b>x" not in page.content
