"""Sign-up, confirmation, sign-in, forgotten passwords: the way in, and what the mails say."""

import functools
import re
from collections.abc import Callable

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core import mail
from django.db import IntegrityError
from django.urls import reverse
from pytest_django import Settings

from accounts.models import Account, AuditEvent, User
from accounts.website.adapter import AccountAdapter
from tests.support.pages import Client, text
from tests.support.responses import Response
from tests.unit.website.conftest import PASSWORD, owner, person

pytestmark = pytest.mark.django_db

SITE = "http://127.0.0.1:8000"  # as the settings have it; requests name another host
SIGN_UP = {"email": "Dora@Example.org", "password1": PASSWORD}


def sign_up(client: Client, **changes: str) -> Response:
    return client.post(reverse("account_signup"), SIGN_UP | changes)


def link_in(message: mail.EmailMessage) -> str:
    [link] = re.findall(rf"^{SITE}(/accounts/\S+)$", str(message.body), re.MULTILINE)
    return str(link)


def test_from_sign_up_to_the_dashboard(client: Client) -> None:
    response = sign_up(client)
    assert response["Location"] == reverse("account_email_verification_sent")
    assert client.get(reverse("dashboard")).status_code == 302

    [message] = mail.outbox
    assert message.to == ["dora@example.org"]
    link = link_in(message)
    page = client.get(link)
    assert "dora@example.org" in text(page)
    assert client.post(link)["Location"] == reverse("dashboard")
    assert "Nothing is backed up yet" in text(client.get(reverse("dashboard")))


def test_signing_up_makes_an_account_on_record(client: Client) -> None:
    sign_up(client)
    user = User.objects.get(email="dora@example.org")
    [seat] = user.memberships.all()
    assert seat.role == "owner"
    assert AuditEvent.objects.get(verb="account.open").account == seat.account


def test_opening_the_link_alone_confirms_nothing(client: Client) -> None:
    sign_up(client)
    Client().get(link_in(mail.outbox[0]))
    assert not EmailAddress.objects.get().verified


def test_a_taken_address_looks_the_same_and_makes_nothing(client: Client) -> None:
    person("dora@example.org")
    response = sign_up(client)
    assert response["Location"] == reverse("account_email_verification_sent")
    assert User.objects.count() == 1
    assert Account.objects.count() == 0
    [message] = mail.outbox
    assert message.subject == "You have an account already"


def test_pressing_the_button_twice_is_harmless(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def loses_the_race(*args: object, **kwargs: object) -> None:
        raise IntegrityError

    monkeypatch.setattr("accounts.website.adapter.open_account", loses_the_race)
    response = sign_up(client)
    assert response["Location"] == reverse("account_email_verification_sent")
    assert User.objects.count() == 0


def test_the_adapter_is_the_one_in_use(settings: Settings) -> None:
    assert f"{AccountAdapter.__module__}.AccountAdapter" == settings.ACCOUNT_ADAPTER


@pytest.mark.parametrize("password", ["short", "password123", "dora@example.org"])
def test_weak_passwords_are_refused_with_a_reason(client: Client, password: str) -> None:
    response = sign_up(client, password1=password)
    assert response.status_code == 200
    assert "errorlist" in text(response)
    assert User.objects.count() == 0


def test_nobody_signs_in_before_confirming(client: Client) -> None:
    sign_up(client)
    other = Client()
    other.post(reverse("account_login"), {"login": "dora@example.org", "password": PASSWORD})
    assert other.get(reverse("dashboard")).status_code == 302


def test_wrong_passwords_and_unknown_people_sound_alike(client: Client) -> None:
    person("dora@example.org")
    pages = [
        text(client.post(reverse("account_login"), {"login": login, "password": "wrong-wrong"}))
        for login in ("dora@example.org", "nobody@example.org")
    ]
    assert all("do not belong together" in page for page in pages)


def test_guessing_is_limited(client: Client) -> None:
    person("dora@example.org")
    guess = {"login": "dora@example.org", "password": "wrong-wrong"}
    pages = [text(client.post(reverse("account_login"), guess)) for _ in range(6)]
    assert "Too many attempts" in pages[-1]
    right = client.post(reverse("account_login"), guess | {"password": PASSWORD})
    assert right.status_code == 200  # locked out, with the right password as well


def test_too_many_requests_have_a_page(client: Client) -> None:
    responses = [client.get(reverse("account_login")) for _ in range(31)]
    responses += [client.post(reverse("account_signup"), {}) for _ in range(21)]
    refused = [response for response in responses if response.status_code == 429]
    assert refused
    assert "Please wait five minutes" in text(refused[-1])


def test_a_forgotten_password(client: Client) -> None:
    person("dora@example.org")
    client.post(reverse("account_reset_password"), {"email": "dora@example.org"})
    link = link_in(mail.outbox[0])
    form = client.get(link)["Location"]
    new = {"password1": "another slot in it", "password2": "another slot in it"}
    client.post(form, new)
    assert User.objects.get().check_password("another slot in it")
    assert mail.outbox[-1].subject == "Your password has been reset"
    assert "This link no longer works" in text(Client().get(link))


def test_resetting_an_unknown_address_tells_only_its_owner(client: Client) -> None:
    response = client.post(reverse("account_reset_password"), {"email": "nobody@example.org"})
    assert response["Location"] == reverse("account_reset_password_done")
    assert mail.outbox[0].subject == "There is no account with this address"


def test_changing_the_address_asks_for_the_password_first(alice: Client) -> None:
    response = alice.post(reverse("account_email"), {"action_add": "", "email": "a@example.org"})
    assert reverse("account_reauthenticate") in response["Location"]


def test_changing_the_address_waits_for_its_confirmation(client: Client) -> None:
    owner("dora@example.org")
    client.post(reverse("account_login"), {"login": "dora@example.org", "password": PASSWORD})
    asked = client.post(reverse("account_email"), {"action_add": "", "email": "new@example.org"})
    client.post(asked["Location"], {"password": PASSWORD})
    assert User.objects.get().email == "dora@example.org"
    assert "waits for the link" in text(client.get(reverse("account_email")))
    client.post(link_in(mail.outbox[-1]))
    assert User.objects.get().email == "new@example.org"


def test_a_sign_in_that_was_closed(client: Client) -> None:
    person("dora@example.org", is_active=False)
    login = {"login": "dora@example.org", "password": PASSWORD}
    client.post(reverse("account_login"), login)
    assert client.get(reverse("dashboard")).status_code == 302


def test_mails_are_short_plain_and_signed(client: Client) -> None:
    sign_up(client)
    sign_up(client)
    client.post(reverse("account_reset_password"), {"email": "dora@example.org"})
    client.post(reverse("account_reset_password"), {"email": "nobody@example.org"})
    assert len(mail.outbox) >= 3
    for message in mail.outbox:
        assert "{" not in message.body
        assert "&#" not in message.body
        assert message.body.rstrip().endswith(f"Nightsafe\n{SITE}/")
        assert len(str(message.body)) < 900


def test_signing_out_wants_a_post(alice: Client) -> None:
    assert "Sign out?" in text(alice.get(reverse("account_logout")))
    assert alice.get(reverse("dashboard")).status_code == 200
    alice.post(reverse("account_logout"))
    assert alice.get(reverse("dashboard")).status_code == 302


def test_long_addresses_sign_up_and_in(client: Client) -> None:
    """As long as addresses may be, on any database."""
    email = f"{'a' * 240}@example.org"
    assert len(email) > 250
    assert sign_up(client, email=email)["Location"] == reverse("account_email_verification_sent")
    assert client.post(link_in(mail.outbox[0]))["Location"] == reverse("dashboard")
    assert AuditEvent.objects.get(verb="account.open").actor_label == email
    assert Account.objects.get().name == "a" * 150


def test_an_address_that_is_too_long_is_said_to_be(client: Client) -> None:
    response = sign_up(client, email=f"{'a' * 260}@example.org")
    assert response.status_code == 200
    assert "at most 254 characters" in text(response)


@pytest.mark.parametrize("host", ["127.0.0.1:9999", "localhost:1", "localhost"])
def test_mails_lead_to_the_service_whatever_host_was_asked(
    client: Client, settings: Settings, host: str
) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    person("eve@example.org")
    there = {"HTTP_HOST": host}
    client.post(reverse("account_signup"), SIGN_UP, **there)
    client.post(reverse("account_signup"), SIGN_UP | {"email": "eve@example.org"}, **there)
    for known in ("eve@example.org", "nobody@example.org"):
        client.post(reverse("account_reset_password"), {"email": known}, **there)
    client.post(link_in(mail.outbox[2]), {}, **there)
    assert len(mail.outbox) == 4
    for message in mail.outbox:
        links = re.findall(r"https?://\S+", str(message.body))
        assert len(links) >= 2
        assert [link for link in links if not link.startswith(f"{SITE}/")] == []


class CountingHasher(MD5PasswordHasher):
    """Counts the work that takes the time."""

    count = 0

    def encode(self, password: str, salt: str) -> str:
        CountingHasher.count += 1
        return super().encode(password, salt)


def work_of(request: Callable[[], object]) -> tuple[int, int]:
    """How many passwords were hashed, and mails sent, for a request."""
    hashed, sent = CountingHasher.count, len(mail.outbox)
    request()
    return CountingHasher.count - hashed, len(mail.outbox) - sent


@pytest.mark.parametrize(
    ("page", "form"),
    [
        ("account_signup", {"password1": "another slot in it"}),
        ("account_login", {"password": "wrong-wrong"}),
        ("account_reset_password", {}),
    ],
)
def test_known_and_unknown_addresses_cost_the_same(
    client: Client, settings: Settings, page: str, form: dict[str, str]
) -> None:
    """Whoever measures the answers learns nothing."""
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]
    person("eve@example.org")
    name = "login" if page == "account_login" else "email"
    known, unknown = (
        work_of(functools.partial(client.post, reverse(page), form | {name: email}))
        for email in ("eve@example.org", "nobody@example.org")
    )
    assert known == unknown
    assert sum(known) > 0
