"""Codes from an app, and recovery codes."""

import re
import time

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from accounts.models import AuditEvent, User
from accounts.website.sign_in.second_factor import SecondFactorAdapter
from tests.support.pages import Client, text
from tests.unit.website.conftest import PASSWORD, client_of, owner, person, reauthenticated

pytestmark = pytest.mark.django_db

ACTIVATE = "/accounts/2fa/totp/activate/"
SECOND = "/accounts/2fa/authenticate/"


@pytest.fixture
def user() -> User:
    return owner("dora@example.org").memberships.get().user


def code_of(secret: str, *, step: int = 0) -> str:
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + step))


def set_up(user: User) -> tuple[str, Client]:
    client = reauthenticated(client_of(user), user)
    [secret] = re.findall(r"<code>([A-Z2-7]{32})</code>", text(client.get(ACTIVATE)))
    client.post(ACTIVATE, {"code": code_of(secret)})
    return secret, client


def password(client: Client, user: User) -> None:
    client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})


def is_in(client: Client) -> bool:
    return client.get("/dashboard/").status_code == 200


def recovery_codes(client: Client) -> list[str]:
    return re.findall(r"\b(\d{8})\b", text(client.get("/accounts/2fa/recovery-codes/")))


def test_an_app_is_asked_for_after_the_password(user: User, client: Client) -> None:
    secret, _ = set_up(user)
    password(client, user)
    assert not is_in(client)
    client.post(SECOND, {"code": "000000"})
    assert not is_in(client)
    client.post(SECOND, {"code": code_of(secret)})
    assert is_in(client)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_new_app_is_told_and_on_record() -> None:
    user = person("dora@example.org")
    set_up(user)
    assert mail.outbox[-1].subject == "An app was added to your sign-in"
    assert AuditEvent.objects.filter(verb="sign-in.app-add", actor=user).exists()


def test_a_code_serves_once(user: User, client: Client) -> None:
    secret, _ = set_up(user)
    code = code_of(secret)
    for browser, expected in ((client, True), (Client(), False)):
        password(browser, user)
        browser.post(SECOND, {"code": code})
        assert is_in(browser) is expected


def test_codes_are_guessed_at_a_few_times_only(user: User, client: Client) -> None:
    secret, _ = set_up(user)
    password(client, user)
    for _ in range(6):
        page = client.post(SECOND, {"code": "000000"})
    assert "Too many attempts" in text(page)
    client.post(SECOND, {"code": code_of(secret)})
    assert not is_in(client)


def test_recovery_codes_serve_once_each(user: User, client: Client) -> None:
    _, signed_in = set_up(user)
    codes = recovery_codes(signed_in)
    assert len(set(codes)) == 10
    password(client, user)
    client.post(SECOND, {"code": codes[3]})
    assert is_in(client)
    again = Client()
    password(again, user)
    again.post(SECOND, {"code": codes[3]})
    assert not is_in(again)
    assert len(recovery_codes(signed_in)) == 9


def test_new_recovery_codes_end_the_old(user: User) -> None:
    _, signed_in = set_up(user)
    before = recovery_codes(signed_in)
    signed_in.post("/accounts/2fa/recovery-codes/generate/")
    assert not set(before) & set(recovery_codes(signed_in))


def test_secrets_lie_encrypted(user: User) -> None:
    secret, _ = set_up(user)
    for stored in Authenticator.objects.values_list("data", flat=True):
        assert secret not in str(stored)
        assert not re.search(r"[0-9a-f]{80}", str(stored))  # a seed as allauth makes it


def test_an_older_key_of_the_service_still_reads(settings: Settings) -> None:
    adapter = SecondFactorAdapter()
    kept = adapter.encrypt("secret")
    old, settings.SECRET_KEY = settings.SECRET_KEY, "another key of the service, long enough"
    with pytest.raises(ImproperlyConfigured, match="NIGHTSAFE_OLD_SECRET_KEYS"):
        adapter.decrypt(kept)
    settings.SECRET_KEY_FALLBACKS = [old]
    assert adapter.decrypt(kept) == "secret"


def test_removing_the_app(user: User, client: Client) -> None:
    _, signed_in = set_up(user)
    signed_in.post("/accounts/2fa/totp/deactivate/")
    assert not Authenticator.objects.exists()
    assert AuditEvent.objects.filter(verb="sign-in.app-remove").exists()
    password(client, user)
    assert is_in(client)


def test_the_picture_is_on_white(user: User) -> None:
    assert 'fill="white"' in SecondFactorAdapter().build_totp_svg("otpauth://totp/x?secret=y")


def test_other_ways_to_prove_who_one_is_are_called_as_elsewhere(user: User) -> None:
    _, client = set_up(user)
    asked = client_of(user).post("/settings/export/")["Location"]
    assert asked.startswith("/accounts/reauthenticate/")
    shown = text(client.get("/accounts/reauthenticate/"))
    assert "Or another way" in shown
    assert "Use a code of your app, or a recovery code" in shown
    assert "Use authenticator" not in shown
