"""Pages about members, invitations, tokens and the profile."""

import re
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from pytest_django import DjangoAssertNumQueries as AssertQueries

from accounts.access import Seat
from accounts.actions import open_account
from accounts.models import Account, ApiToken, Device, Invitation, Membership, User
from backup_service import clock
from storage.models import Region
from tests.support.pages import Client, read, send_once, text
from tests.unit.website.conftest import (
    PASSWORD,
    client_of,
    enrol,
    person,
    reauthenticated,
)

pytestmark = pytest.mark.django_db

MEMBERS, TOKENS = "/settings/members/", "/settings/tokens/"


def user_of(client: Client) -> User:
    return User.objects.get(pk=client.session["_auth_user_id"])


@pytest.fixture
def sure(alice: Client) -> Client:
    """Alice, who gave her password again just now."""
    return reauthenticated(alice, user_of(alice))


def joined(account: Account, email: str, role: str) -> Client:
    user = person(email)
    Membership.objects.create(account=account, user=user, role=role)
    return client_of(user)


def invite(client: Client, email: str, role: str = "member") -> str:
    client.post(MEMBERS, {"email": email, "role": role})
    [link] = re.findall(r"http://127.0.0.1:8000(/invitations/\S+)", str(mail.outbox[-1].body))
    return str(link)


def test_an_invitation_from_mail_to_dashboard(sure: Client, account: Account) -> None:
    link = invite(sure, "new@example.org")
    assert mail.outbox[-1].to == ["new@example.org"]
    client = client_of(person("new@example.org"))
    assert client.get(link)["Location"] == "/invitations/"
    assert "as member" in text(client.get("/invitations/"))
    assert client.post("/invitations/")["Location"] == "/dashboard/"
    assert Membership.objects.get(user__email="new@example.org").account == account
    assert client.get("/dashboard/").status_code == 200
    client.get(link)
    assert "was accepted already" in text(client.get("/invitations/"))


def test_somebody_new_signs_up_and_comes_back(sure: Client, client: Client) -> None:
    link = invite(sure, "new@example.org")
    client.get(link)
    page = text(client.get("/invitations/"))
    assert "/accounts/signup/?next=/invitations/" in page
    form = {"email": "new@example.org", "password1": PASSWORD, "next": "/invitations/"}
    sent = len(mail.outbox)
    assert client.post("/accounts/signup/", form)["Location"] == "/invitations/"
    assert len(mail.outbox) == sent  # the address was proved by the link that brought them
    assert client.post("/invitations/")["Location"] == "/dashboard/"


def test_who_signs_up_with_another_address_proves_it(sure: Client, client: Client) -> None:
    client.get(invite(sure, "new@example.org"))
    form = {"email": "other@example.org", "password1": PASSWORD, "next": "/invitations/"}
    client.post("/accounts/signup/", form)
    assert mail.outbox[-1].to == ["other@example.org"]
    addresses = EmailAddress.objects.filter(user__email="other@example.org")
    assert list(addresses.values_list("email", "verified")) == [("other@example.org", False)]


def test_an_invitation_that_was_taken_back_proves_nothing(sure: Client, client: Client) -> None:
    client.get(invite(sure, "new@example.org"))
    Invitation.objects.update(revoked_at=clock.now())
    client.post("/accounts/signup/", {"email": "new@example.org", "password1": PASSWORD})
    assert not EmailAddress.objects.get(email="new@example.org").verified


def test_an_invitation_page_is_the_same_whether_the_address_signs_in_here(sure: Client) -> None:
    person("known@example.org")
    pages = []
    for email in ("known@example.org", "other@example.org"):
        answer = sure.post(MEMBERS, {"email": email, "role": "member"}, follow=True)
        pages.append(text(answer).replace(email, "x")[:2000])
        link = re.findall(r"8000(/invitations/\S+)", str(mail.outbox[-1].body))[0]
        visitor = Client()
        visitor.get(link)
        pages.append(text(visitor.get("/invitations/")).replace(email, "x"))
    assert pages[1] == pages[3]
    assert [len(message.to) for message in mail.outbox] == [1, 1]


def test_the_wrong_person_is_told_and_joins_nothing(sure: Client, bob: Client) -> None:
    link = invite(sure, "new@example.org")
    bob.get(link)
    assert "You are signed in as bob@example.org" in text(bob.get("/invitations/"))
    bob.post("/invitations/")
    assert Membership.objects.filter(user=user_of(bob)).count() == 1


def test_an_unconfirmed_address_joins_nothing(sure: Client) -> None:
    link = invite(sure, "new@example.org")
    user = person("new@example.org")
    EmailAddress.objects.filter(user=user).update(verified=False)
    client = client_of(user)
    client.get(link)
    client.post("/invitations/")
    assert not Membership.objects.filter(user=user).exists()


@pytest.mark.parametrize("token", ["x", "A" * 500, "%00", "ü"])
def test_no_such_invitation(client: Client, token: str) -> None:
    answer = client.get(f"/invitations/{token}/", follow=True)
    assert answer.status_code in (200, 400)
    if answer.status_code == 200:
        assert "This invitation does not work" in text(answer)


def test_inviting_asks_for_the_password_first(alice: Client) -> None:
    answer = alice.post(MEMBERS, {"email": "new@example.org", "role": "member"})
    assert "reauthenticate" in answer["Location"]
    assert mail.outbox == []
    alice.post(answer["Location"], {"password": PASSWORD})
    assert mail.outbox[-1].to == ["new@example.org"]


@pytest.mark.parametrize(
    ("role", "sees_others", "statuses"),
    [
        # vault of another, add a device, members, invite, tokens, activity of others, continent
        ("admin", True, (200, 200, 200, 302, 200, True, 200)),
        ("member", False, (404, 200, 200, 403, 403, False, 403)),
        ("auditor", True, (200, 403, 200, 403, 403, True, 403)),
    ],
)
def test_what_each_role_meets(
    account: Account,
    regions: list[Region],
    role: str,
    sees_others: bool,
    statuses: tuple[Any, ...],
) -> None:
    enrolled = enrol(account, "laptop of alice")
    client = joined(account, "new@example.org", role)
    reauthenticated(client, user_of(client))
    assert ("laptop of alice" in text(client.get("/dashboard/"))) is sees_others
    vault = f"/vaults/{enrolled.vault.public_id}/"
    assert (
        client.get(vault).status_code,
        client.get("/devices/add/").status_code,
        client.get(MEMBERS).status_code,
        client.post(MEMBERS, {"email": "x@example.org", "role": "member"}).status_code,
        client.get(TOKENS).status_code,
        "laptop of alice" in text(client.get("/activity/")),
        client.get("/account/continent/").status_code,
    ) == statuses
    changed = client.post(f"{vault}rename/", {"name": "mine"}).status_code
    assert changed == {"admin": 302, "member": 404, "auditor": 403}[role]


def test_a_member_has_their_own_devices(account: Account, regions: list[Region]) -> None:
    enrol(account, "laptop of alice")
    mia = joined(account, "mia@example.org", "member")
    send_once(mia, "/devices/add/", {"name": "laptop of mia"})
    page = text(mia.get("/dashboard/"))
    assert "laptop of mia" in page
    assert "laptop of alice" not in page
    device = Device.objects.get(name="laptop of mia")
    assert mia.post(f"/devices/{device.public_id}/retire/").status_code == 302


def test_giving_a_device_to_a_member(sure: Client, account: Account, regions: list[Region]) -> None:
    vault = enrol(account, "shared").vault
    mia = joined(account, "mia@example.org", "member")
    device = Device.objects.get()
    seat = Membership.objects.get(user__email="mia@example.org")
    move = f"/devices/{device.public_id}/move/"
    assert move in text(sure.get(f"/vaults/{vault.public_id}/"))
    sure.post(move, {"member": str(seat.pk)})
    assert "shared" in text(mia.get("/dashboard/"))
    assert mia.get(move).status_code == 403
    long_ago = client_of(account.memberships.get(role="owner").user)
    assert "reauthenticate" in long_ago.post(move, {"member": ""})["Location"]
    stranger = open_account(person("eve@example.org")).memberships.get()
    assert sure.post(move, {"member": str(stranger.pk)}).status_code == 200
    device.refresh_from_db()
    assert device.member == seat


def test_switching_between_accounts(bob: Client, account: Account, regions: list[Region]) -> None:
    enrol(account, "laptop of alice")
    seat = Membership.objects.create(account=account, user=user_of(bob), role="auditor")
    assert "laptop of alice" not in text(bob.get("/dashboard/"))
    bob.post("/settings/switch/", {"account": account.public_id})
    assert "laptop of alice" in text(bob.get("/dashboard/"))
    seat.delete()  # and the session still names it
    page = bob.get("/dashboard/")
    assert page.status_code == 200
    assert "laptop of alice" not in text(page)


def test_nobody_switches_into_anothers_account(bob: Client, account: Account) -> None:
    for named in (account.public_id, "", "x" * 1000):
        assert bob.post("/settings/switch/", {"account": named}).status_code == 404


def test_roles_removal_and_transfer_on_the_pages(sure: Client, account: Account) -> None:
    mia = joined(account, "mia@example.org", "member")
    seat = Membership.objects.get(user__email="mia@example.org")
    sure.post(f"/settings/members/{seat.pk}/role/", {"role": "admin"})
    assert "mia@example.org" in text(sure.get(MEMBERS))
    sure.post(f"/settings/members/{seat.pk}/offer/")
    reauthenticated(mia, user_of(mia))
    assert "offers this account to you" in text(mia.get(MEMBERS))
    mia.post("/settings/members/take-over/")
    assert Membership.objects.get(pk=seat.pk).role == "owner"
    own = Membership.objects.get(user=user_of(sure))
    assert own.role == "admin"
    mia.post(f"/settings/members/{own.pk}/remove/")
    assert not Membership.objects.filter(user=user_of(sure)).exists()
    assert "You have no account of your own yet" in text(sure.get("/dashboard/"))


def test_the_last_owner_is_told_what_to_do(sure: Client, account: Account) -> None:
    assert "only owner" in text(sure.post("/settings/members/leave/", follow=True))
    assert account.memberships.count() == 1


def test_members_of_others_are_not_found(bob: Client, account: Account) -> None:
    reauthenticated(bob, user_of(bob))
    seat = account.memberships.get()
    for page in ("role", "remove", "offer"):
        assert (
            bob.post(f"/settings/members/{seat.pk}/{page}/", {"role": "auditor"}).status_code == 404
        )


def test_a_token_is_shown_once(sure: Client, account: Account) -> None:
    [once] = re.findall(r'name="once" value="([^"]+)"', sure.get(TOKENS).content.decode())
    form = {"label": "<b>mine</b>", "scope": "read", "days": "30", "once": once}
    page = sure.post(TOKENS, form)
    [secret, *_] = re.findall(r"nst_[a-z2-7]{8}_[\w-]{43}", page.content.decode())
    assert "no-store" in page["Cache-Control"]
    assert "&lt;b&gt;mine" in text(page)
    again = sure.post(TOKENS, form, follow=True)  # the page is loaded again
    assert "shown once" in text(again)
    assert ApiToken.objects.count() == 1
    assert secret not in text(sure.get(TOKENS))
    prefix = ApiToken.objects.get().prefix
    sure.post(f"{TOKENS}{prefix}/revoke/")
    assert ApiToken.objects.get().revoked_at is not None


@pytest.mark.parametrize(("days", "count"), [("0", 0), ("365", 0), ("30", 1), ("1", 1)])
def test_a_token_of_full_scope_ends_soon(
    sure: Client, account: Account, days: str, count: int
) -> None:
    page = send_once(sure, TOKENS, {"label": "mine", "scope": "full", "days": days})
    assert ("30 days at most" in text(page)) or count
    assert ApiToken.objects.count() == count


def test_a_token_of_full_scope_is_not_made_from_an_open_browser_alone(
    alice: Client, account: Account
) -> None:
    page = send_once(alice, TOKENS, {"label": "mine", "scope": "full", "days": "1"})
    assert page["Location"].startswith("/accounts/reauthenticate/")
    assert not ApiToken.objects.exists()


def test_a_form_without_its_value_makes_nothing(
    sure: Client, bob: Client, account: Account
) -> None:
    form = {"label": "mine", "scope": "read", "days": "30"}
    [once] = re.findall(
        r'name="once" value="([^"]+)"',
        reauthenticated(bob, user_of(bob)).get(TOKENS).content.decode(),
    )
    for value in ("", "x", once):
        sure.post(TOKENS, form | {"once": value})
    assert ApiToken.objects.count() == 0


def test_revoking_is_for_ones_own(bob: Client, sure: Client, account: Account) -> None:
    [once] = re.findall(r'name="once" value="([^"]+)"', sure.get(TOKENS).content.decode())
    sure.post(TOKENS, {"label": "mine", "scope": "read", "days": "0", "once": once})
    token = ApiToken.objects.get()
    assert token.expires_at is None
    assert bob.post(f"{TOKENS}{token.prefix}/revoke/").status_code == 404
    token.refresh_from_db()
    assert token.revoked_at is None


def test_the_profile(alice: Client, account: Account) -> None:
    alice.post("/settings/", {"name": "A" * 100 + "<i>", "time_zone": "Europe/Berlin"})
    page = text(alice.get("/settings/"))
    assert "A" * 100 + "&lt;i&gt;" in page
    assert "CET" in text(alice.get("/activity/")) or "CEST" in text(alice.get("/activity/"))
    assert "There is no such zone" in text(alice.post("/settings/", {"time_zone": "Mars/Base"}))
    alice.post("/settings/account/", {"name": "Household"})
    account.refresh_from_db()
    assert account.name == "Household"
    alice.post("/settings/account/", {"name": " "})
    account.refresh_from_db()
    assert account.name == "Household"


def test_all_pages_pass_the_policy(sure: Client, account: Account, regions: list[Region]) -> None:
    enrol(account, "laptop")
    joined(account, "mia@example.org", "member")
    seat = Membership.objects.get(user__email="mia@example.org").pk
    device = Device.objects.get().public_id
    pages = ["", "switch/", "members/", "members/leave/", "tokens/"]
    pages += [f"members/{seat}/role/", f"members/{seat}/remove/"]
    for page in [*(f"/settings/{page}" for page in pages), f"/devices/{device}/move/"]:
        answer = sure.get(page)
        assert answer.status_code == 200, page
        assert read(answer).refused == []
        assert read(answer).titles == 1


def test_a_hundred_members_cost_no_more_queries(
    sure: Client, account: Account, django_assert_num_queries: AssertQueries
) -> None:
    for number in range(100):
        user = User.objects.create(email=f"{number}@example.org")
        Membership.objects.create(account=account, user=user, role="member")
    sure.get(MEMBERS)
    with django_assert_num_queries(5):  # session, person, seat, members, invitations
        sure.get(MEMBERS)


def test_an_address_that_was_taken_meanwhile(client: Client) -> None:
    """Dora asks for an address, somebody else confirms it first, then she opens her link."""
    dora = person("dora@example.org")
    browser = reauthenticated(client_of(dora), dora)
    browser.post("/accounts/email/", {"action_add": "", "email": "new@example.org"})
    [link] = re.findall(r"8000(/accounts/confirm-email/\S+)", str(mail.outbox[-1].body))
    person("new@example.org")
    answer = browser.get(link)
    assert answer.status_code == 200
    assert "This address is taken" in text(answer)
    assert browser.post(link).status_code < 500
    dora.refresh_from_db()
    assert dora.email == "dora@example.org"


def test_seats_are_named(account: Account) -> None:
    seat = Seat(account.memberships.get())
    assert (seat.role, seat.account, seat.user.email) == ("owner", account, "alice@example.org")


def test_a_name_makes_no_paragraph_of_a_mail_to_strangers(sure: Client, account: Account) -> None:
    name = "Your parcel\r\n\r\nPay at https://evil.example\x1b[0m\u202e\n"
    sure.post("/settings/account/", {"name": name})
    account.refresh_from_db()
    assert account.name == "Your parcel Pay at https://evil.example [0m"
    invite(sure, "new@example.org")
    assert f"to the account “{account.name}” at Nightsafe" in str(mail.outbox[-1].body)


@pytest.mark.parametrize("name", ["\x07", "\u202e", " \n "])
def test_a_name_of_which_nothing_is_seen_is_none(sure: Client, account: Account, name: str) -> None:
    before = account.name
    sure.post("/settings/account/", {"name": name})
    account.refresh_from_db()
    assert account.name == before
