"""The mail server, or a provider of mail, takes nothing: people are told, and go on later."""

from collections.abc import Sequence

import pytest
from anymail.exceptions import AnymailRecipientsRefused
from django.core import mail
from django.core.cache import cache
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from pytest_django import Settings

from accounts.models import Account, Invitation, User
from tests.support.pages import Client, text
from tests.unit.website.conftest import PASSWORD, just_signed_in, person

pytestmark = pytest.mark.django_db
NEW = {"email": "new@example.org", "password1": PASSWORD}


class Refusing(BaseEmailBackend):
    """A provider that takes nothing for an address."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        raise AnymailRecipientsRefused


@pytest.fixture(params=["server", "provider"])
def away(request: pytest.FixtureRequest, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    if request.param == "provider":
        settings.EMAIL_BACKEND = f"{__name__}.Refusing"


@pytest.mark.usefixtures("away")
def test_signing_up_goes_on_with_signing_in(client: Client, settings: Settings) -> None:
    answer = client.post("/accounts/signup/", NEW)
    assert answer.status_code == 503
    assert "We cannot send mail at this moment" in text(answer)
    assert User.objects.filter(email="new@example.org").exists()
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    cache.clear()  # a few minutes later
    client.post("/accounts/login/", {"login": "new@example.org", "password": PASSWORD})
    assert mail.outbox[-1].to == ["new@example.org"]
    assert "/accounts/confirm-email/" in str(mail.outbox[-1].body)


@pytest.mark.usefixtures("away")
def test_nobody_learns_by_it_who_is_known(client: Client) -> None:
    person("known@example.org")
    answers = [
        client.post(page, form | {"email": email})
        for page, form in (("/accounts/password/reset/", {}), ("/accounts/signup/", NEW))
        for email in ("known@example.org", "unknown@example.org")
    ]
    assert {answer.status_code for answer in answers} == {503}
    assert len({text(answer) for answer in answers}) == 1


@pytest.mark.usefixtures("away")
def test_what_is_done_is_done(account: Account) -> None:
    """A new password holds, and an invitation waits, though nobody could be told."""
    alice = just_signed_in("alice@example.org")
    alice.post("/settings/members/", {"email": "new@example.org", "role": "member"})
    assert Invitation.objects.get().email == "new@example.org"
    assert "could not be sent" in text(alice.get("/settings/members/"))
    words = {"oldpassword": PASSWORD, "password1": "another slot in it"}
    alice.post("/accounts/password/change/", words | {"password2": "another slot in it"})
    assert User.objects.get(email="alice@example.org").check_password("another slot in it")
