"""A form is about the account that it was shown for, whatever another tab looks at since."""

import re

import pytest
from django.urls import reverse

from accounts.models import Account, Device, Invitation, Membership, User
from backup_service.env import BASE_DIR
from tests.support.pages import Client, text
from tests.unit.website.conftest import just_signed_in, owner

pytestmark = pytest.mark.django_db
PAGES = [
    "settings",
    "members",
    "member_leave",
    "tokens",
    "notifications",
    "endpoint_add",
    "device_add",
    "connect",
    "continent",
    "account_close",
    "export",
    "billing_plans",
]


@pytest.fixture
def other(account: Account) -> Account:
    """Another account in which Alice is an owner as well."""
    made = owner("olga@example.org")
    alice = User.objects.get(email="alice@example.org")
    Membership.objects.create(account=made, user=alice, role="owner")
    return made


@pytest.fixture
def alice(account: Account) -> Client:
    return just_signed_in("alice@example.org")


def switch(client: Client, account: Account) -> None:
    client.post("/settings/switch/", {"account": account.public_id})


def shown_for(client: Client, path: str) -> set[str]:
    return set(re.findall(r'name="in_account" value="(\w+)"', text(client.get(path))))


@pytest.mark.parametrize("name", PAGES)
def test_every_page_that_acts_on_an_account_says_which(
    alice: Client, account: Account, name: str
) -> None:
    page = text(alice.get(reverse(name)))
    forms = re.findall(r'<form[^>]+method="post"(.*?)</form>', page, re.DOTALL)
    said = [form for form in forms if f'name="in_account" value="{account.public_id}"' in form]
    assert len(said) == len(forms) - 1  # but for the one that signs out
    assert said or name == "billing_plans"  # where nothing is sold


def test_it_is_done_to_the_account_that_the_page_showed(
    alice: Client, account: Account, other: Account
) -> None:
    switch(alice, account)
    (said,) = shown_for(alice, "/settings/members/")
    switch(alice, other)  # in another tab
    sent = {"email": "new@example.org", "role": "admin", "in_account": said}
    answer = alice.post("/settings/members/", sent, follow=True)
    assert Invitation.objects.get().account == account
    assert "new@example.org" in text(answer)  # and that account is looked at now


def test_whoever_lost_the_seat_does_nothing_to_another_account(
    alice: Client, account: Account, other: Account
) -> None:
    switch(alice, other)
    (said,) = shown_for(alice, "/devices/add/")
    Membership.objects.filter(account=other, user__email="alice@example.org").delete()
    answer = alice.post("/devices/add/", {"name": "pc", "in_account": said})
    assert answer.status_code == 403
    assert "Nothing was changed" in text(answer)
    assert not Device.objects.exists()


def test_another_tenants_account_is_not_chosen(alice: Client, account: Account) -> None:
    bobs = owner("bob@example.org")
    said = {"name": "mine now", "in_account": bobs.public_id}
    assert alice.post("/settings/account/", said).status_code == 403
    bobs.refresh_from_db()
    assert bobs.name != "mine now"


# Forms that are about a person, or about an account that is yet to be chosen or opened.
OF_NO_ACCOUNT = {
    "accounts/invitation.html",
    "accounts/switch.html",
    "accounts/without_account.html",
    "components/masthead.html",  # signs out
    "leaving/delete_sign_in.html",
    "mailbox_token.html",
    "notifications/unsubscribe.html",  # of whoever has the link
}
APPS = ("accounts", "billing", "components", "leaving", "notifications", "public", "storage")


def test_no_form_of_an_account_leaves_it_out() -> None:
    """Also forms that only show in some state of a page, which the test above does not come to."""
    folder = BASE_DIR / "templates"
    pages = [page for app in APPS for page in (folder / app).rglob("*.html")]
    lacking = {
        str(page.relative_to(folder))
        for page in [*pages, *folder.glob("*.html")]
        for form in re.findall(r"<form.*?</form>", page.read_text(), re.DOTALL)
        if "csrf_token" in form and "components/in_account.html" not in form
    }
    assert lacking == OF_NO_ACCOUNT
