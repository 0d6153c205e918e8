"""Passkeys: made and used on our own pages, once, and nowhere else."""

import html
import json
import re
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from pytest_django import Settings

from accounts.models import AuditEvent, Endpoint, User
from accounts.website.sign_in.relying_party import relying_party
from tests.support.pages import Client, read, text
from tests.support.passkeys import SoftAuthenticator
from tests.unit.website.conftest import PASSWORD, client_of, owner, person, reauthenticated

pytestmark = pytest.mark.django_db

SITE = "https://nightsafe.example"
ADD, LOGIN = "/accounts/2fa/webauthn/add/", "/accounts/2fa/webauthn/login/"
SECOND = "/accounts/2fa/authenticate/"


@pytest.fixture(autouse=True)
def _site(settings: Settings) -> None:
    settings.SITE_URL = SITE


@pytest.fixture
def user() -> User:
    return owner("dora@example.org").memberships.get().user


def authenticator(*, origin: str = SITE, rp_id: str = "nightsafe.example") -> SoftAuthenticator:
    return SoftAuthenticator(origin, rp_id)


def options_in(page: Any) -> Any:
    [text] = re.findall(r'data-options="([^"]+)"', page.content.decode())
    return json.loads(html.unescape(text))


def add(client: Client, key: SoftAuthenticator, **more: str) -> Any:
    credential = key.create(options_in(client.get(ADD)))
    return client.post(
        ADD, {"name": "phone", "passwordless": "on", "credential": credential} | more
    )


def own(user: User, key: SoftAuthenticator) -> SoftAuthenticator:
    add(reauthenticated(client_of(user), user), key)
    assert Authenticator.objects.filter(user=user, type="webauthn").exists()
    return key


def ask(client: Client) -> Any:
    return client.get(LOGIN, HTTP_ACCEPT="application/json").json()["request_options"]


def is_in(client: Client) -> bool:
    return client.get("/dashboard/").status_code == 200


def test_adding_one_is_told_and_on_record(user: User) -> None:
    client = reauthenticated(client_of(user), user)
    assert "no signed-in" not in text(client.get("/accounts/2fa/"))
    assert add(client, authenticator())["Location"] == "/accounts/2fa/recovery-codes/"
    assert mail.outbox[-1].subject == "A passkey was added"
    [event] = AuditEvent.objects.filter(verb="sign-in.passkey-add")
    assert (event.actor, event.address) == (user, "127.0.0.1")
    assert "added a passkey, from 127.0.0.1" in text(client.get("/activity/"))
    assert "phone" in text(client.get("/accounts/2fa/webauthn/"))


def test_signing_in_with_it_alone(user: User, client: Client) -> None:
    key = own(user, authenticator())
    assert client.post(LOGIN, {"credential": key.get(ask(client))})["Location"] == "/dashboard/"
    assert is_in(client)


def test_as_second_step_after_the_password(user: User, client: Client) -> None:
    key = own(user, authenticator())
    client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    assert not is_in(client)
    page = client.get(SECOND)
    client.post(SECOND, {"credential": key.get(options_in(page))})
    assert is_in(client)


def test_as_proof_before_something_that_matters(user: User) -> None:
    key = own(user, authenticator())
    client = client_of(user)
    again = "/accounts/2fa/webauthn/reauthenticate/?next=/accounts/2fa/totp/activate/"
    page = client.get(again)
    answer = client.post(again, {"credential": key.get(options_in(page))})
    assert answer["Location"] == "/accounts/2fa/totp/activate/"
    assert client.get("/accounts/2fa/totp/activate/").status_code == 200


def test_whoever_has_a_passkey_is_asked_for_that_first(user: User) -> None:
    key = own(user, authenticator())
    client = client_of(user)
    wanted = "/settings/notifications/endpoints/add/"
    hook = {"kind": "webhook", "name": "Pager", "url": "https://example.org/", "topics": "backups"}
    asked = client.post(wanted, hook)["Location"]
    assert asked.startswith("/accounts/2fa/webauthn/reauthenticate/?next=")
    page = client.get(asked)
    assert "Use your password" in text(page)
    client.post(asked, {"credential": key.get(options_in(page)), "next": wanted})
    assert Endpoint.objects.get().name == "Pager"


def test_the_export_asks_for_the_passkey_first(user: User) -> None:
    own(user, authenticator())
    asked = client_of(user).post("/settings/export/")["Location"]
    assert asked == "/accounts/2fa/webauthn/reauthenticate/?next=%2Fsettings%2Fexport%2F"


@pytest.mark.parametrize(
    "bent",
    [
        {"origin": "https://evil.example"},
        {"origin": "https://sub.nightsafe.example"},
        {"origin": "https://nightsafe.example:8443"},
        {"origin": "http://nightsafe.example"},
        {"rp_id": "evil.example"},
    ],
)
def test_another_origin_or_party_is_refused(
    user: User, client: Client, bent: dict[str, str]
) -> None:
    signed_in = reauthenticated(client_of(user), user)
    assert add(signed_in, authenticator(**bent)).status_code == 200
    assert not Authenticator.objects.exists()
    key = own(user, authenticator())
    for name, value in bent.items():
        setattr(key, name, value)
    client.post(LOGIN, {"credential": key.get(ask(client))})
    assert not is_in(client)


def test_an_answer_serves_once(user: User, client: Client) -> None:
    key = own(user, authenticator())
    answer = key.get(ask(client))
    client.post(LOGIN, {"credential": answer})
    assert is_in(client)
    client.post("/accounts/logout/")
    client.post(LOGIN, {"credential": answer})
    assert not is_in(client)
    other = Client()
    ask(other)
    other.post(LOGIN, {"credential": answer})
    assert not is_in(other)


def test_a_registration_serves_once(user: User) -> None:
    client = reauthenticated(client_of(user), user)
    made = authenticator().create(options_in(client.get(ADD)))
    client.post(ADD, {"name": "a", "credential": made})
    client.post(ADD, {"name": "b", "credential": made})
    assert Authenticator.objects.filter(type="webauthn").count() == 1


def test_somebody_elses_passkey_opens_their_own_account_only(user: User, client: Client) -> None:
    key = own(user, authenticator())
    eve = person("eve@example.org")
    key.user_handle = _handle_of(eve)
    client.post(LOGIN, {"credential": key.get(ask(client))})
    assert not is_in(client)


def _handle_of(user: User) -> bytes:
    from allauth.account.utils import user_pk_to_url_str

    return str(user_pk_to_url_str(user)).encode()


def test_a_wrong_signature_is_refused(user: User, client: Client) -> None:
    key = own(user, authenticator())
    key.key = authenticator().key
    client.post(LOGIN, {"credential": key.get(ask(client))})
    assert not is_in(client)


def test_alone_it_must_ask_for_finger_or_pin(user: User, client: Client) -> None:
    key = own(user, authenticator())
    client.post(LOGIN, {"credential": key.get(ask(client), verified=False)})
    assert not is_in(client)


NONSENSE = [
    "",
    "{",
    "[]",
    "null",
    "7",
    '"x"',
    "{}",
    '{"response": []}',
    '{"id": "\\u0000", "response": {}}',
    '{"id": "\\ud800", "rawId": "AA", "type": "public-key", "response": {}}',
    "[" * 20000,
    '{"a":' * 5000 + "1" + "}" * 5000,
    "9" * 40000,
    '{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"AA",'
    '"attestationObject":"AA","authenticatorData":"AA","signature":"AA","userHandle":7}}',
]


@pytest.mark.parametrize("nonsense", NONSENSE)
def test_nonsense_is_refused_in_words(user: User, client: Client, nonsense: str) -> None:
    own(user, authenticator())
    ask(client)
    answer = client.post(LOGIN, {"credential": nonsense}, follow=True)
    assert answer.status_code == 200
    signed_in = reauthenticated(client_of(user), user)
    signed_in.get(ADD)
    assert signed_in.post(ADD, {"credential": nonsense}).status_code == 200
    assert Authenticator.objects.filter(type="webauthn").count() == 1


def test_a_text_in_the_credential_that_no_database_takes(user: User) -> None:
    client = reauthenticated(client_of(user), user)
    for odd in ("\\u0000", "\\ud800"):
        made = authenticator().create(options_in(client.get(ADD)))
        made = made.replace('"platform"', f'"plat{odd}form"')
        assert client.post(ADD, {"credential": made}).status_code == 200
    assert not Authenticator.objects.exists()


def test_a_handle_beyond_any_number(user: User, client: Client) -> None:
    key = own(user, authenticator())
    key.user_handle = b"z" * 60
    assert client.post(LOGIN, {"credential": key.get(ask(client))}).status_code == 302
    assert not is_in(client)


def test_removing_and_renaming_ask_again_and_are_ones_own(user: User, client: Client) -> None:
    own(user, authenticator())
    found = Authenticator.objects.get(type="webauthn")
    keys = f"/accounts/2fa/webauthn/keys/{found.pk}"
    assert "reauthenticate" in client_of(user).post(f"{keys}/remove/")["Location"]
    eve = person("eve@example.org")
    other = reauthenticated(client_of(eve), eve)
    assert other.post(f"{keys}/remove/").status_code == 404
    assert other.post(f"{keys}/edit/", {"name": "mine"}).status_code == 404
    mine = reauthenticated(client_of(user), user)
    mine.post(f"{keys}/edit/", {"name": "x" * 101})
    mine.post(f"{keys}/edit/", {"name": "<b>blue</b>"})
    assert "&lt;b&gt;blue&lt;/b&gt;" in text(mine.get("/accounts/2fa/webauthn/"))
    mine.post(f"{keys}/remove/")
    assert mail.outbox[-1].subject == "A passkey was removed"
    assert not Authenticator.objects.exists()  # the recovery codes go with the last factor


@pytest.mark.parametrize(
    ("address", "party", "origin"),
    [
        ("https://nightsafe.example", "nightsafe.example", "https://nightsafe.example"),
        (
            "https://Backup.example.org:8443",
            "backup.example.org",
            "https://Backup.example.org:8443",
        ),
        ("http://127.0.0.1:8000", "localhost", "http://localhost:8000"),
        ("http://[::1]:8000", "localhost", "http://localhost:8000"),
        ("http://localhost:8000", "localhost", "http://localhost:8000"),
    ],
)
def test_where_passkeys_belong(settings: Settings, address: str, party: str, origin: str) -> None:
    settings.SITE_URL = address
    assert (relying_party().id, relying_party().origin) == (party, origin)


def test_pages_pass_the_policy_and_send_people_where_passkeys_work(
    user: User, client: Client, settings: Settings
) -> None:
    settings.SITE_URL = "http://127.0.0.1:8000"
    own(user, authenticator(origin="http://localhost:8000", rp_id="localhost"))
    signed_in = reauthenticated(client_of(user), user)
    paths = ["", "webauthn/", "webauthn/add/", "webauthn/reauthenticate/", "totp/activate/"]
    paths += ["recovery-codes/", "recovery-codes/generate/"]
    key = Authenticator.objects.get(type="webauthn").pk
    paths += [f"webauthn/keys/{key}/edit/", f"webauthn/keys/{key}/remove/"]
    for path in paths:
        page = signed_in.get(f"/accounts/2fa/{path}", HTTP_HOST="127.0.0.1:8000")
        assert page.status_code == 200, path
        assert read(page).refused == []
        assert read(page).titles == 1
    add_page = signed_in.get(ADD, HTTP_HOST="127.0.0.1:8000")
    assert f"http://localhost:8000{ADD}" in text(add_page)
    assert f"http://localhost:8000{ADD}" not in text(signed_in.get(ADD, HTTP_HOST="localhost:8000"))
    client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    assert read(client.get(SECOND)).refused == []
    assert read(Client().get("/accounts/login/")).refused == []


def test_challenges_are_limited(client: Client) -> None:
    """Each begins a session, and whoever asks is nobody yet."""
    asked = [client.get(LOGIN, HTTP_X_REQUESTED_WITH="XMLHttpRequest") for _ in range(61)]
    assert [one.status_code for one in asked[::60]] == [200, 429]
    assert text(client.get("/accounts/login/"))
