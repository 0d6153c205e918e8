"""Where somebody is signed in, and how that ends."""

import re
from pathlib import Path

import allauth
import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.core import mail
from django.utils import timezone
from pytest_django import Settings

from accounts import tasks
from accounts.models import AuditEvent, User
from accounts.website.adapter import ON_RECORD
from accounts.website.sign_in import sessions
from accounts.website.sign_in.user_agents import in_words
from tests.support.pages import Client, text
from tests.unit.website.conftest import PASSWORD, owner, person

pytestmark = pytest.mark.django_db

WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0"
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1"
)


@pytest.fixture
def user() -> User:
    return owner("dora@example.org").memberships.get().user


def sign_in(user: User, agent: str = WINDOWS, client: Client | None = None) -> Client:
    client = client or Client(HTTP_USER_AGENT=agent)
    client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    assert is_in(client)
    return client


def is_in(client: Client) -> bool:
    return client.get("/dashboard/").status_code == 200


def test_sessions_are_listed_in_words(user: User) -> None:
    client, _ = sign_in(user), sign_in(user, PHONE)
    page = text(client.get("/accounts/sessions/"))
    assert "Firefox on Windows" in page
    assert "Safari on an iPhone" in page
    assert page.count("This browser") == 1


def test_one_is_ended(user: User) -> None:
    client, phone = sign_in(user), sign_in(user, PHONE)
    [link] = re.findall(
        r'action="(/settings/sessions/\d+/end/)"', text(client.get("/accounts/sessions/"))
    )
    client.post(link)
    assert not is_in(phone)
    assert is_in(client)
    assert client.post(link).status_code == 404


def test_nobody_ends_another_ones(user: User) -> None:
    client = sign_in(user)
    eve = sign_in(person("eve@example.org"), client=Client())
    found = UserSession.objects.get(user=user)
    assert eve.post(f"/settings/sessions/{found.pk}/end/").status_code in (302, 404)
    assert is_in(client)


def test_all_others_are_ended(user: User) -> None:
    client, phone, third = sign_in(user), sign_in(user, PHONE), sign_in(user)
    client.post("/accounts/sessions/")
    assert [is_in(browser) for browser in (client, phone, third)] == [True, False, False]


def test_a_new_password_ends_all_others(user: User) -> None:
    client, phone = sign_in(user), sign_in(user, PHONE)
    new = {
        "oldpassword": PASSWORD,
        "password1": "another slot in it",
        "password2": "another slot in it",
    }
    client.post("/accounts/password/change/", new)
    assert [is_in(browser) for browser in (client, phone)] == [True, False]
    assert AuditEvent.objects.filter(verb="sign-in.password", actor=user).exists()


def test_the_oldest_of_too_many_are_ended(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MOST", 3)
    browsers = [sign_in(user) for _ in range(5)]
    assert [is_in(browser) for browser in browsers] == [False, False, True, True, True]


def test_those_that_are_over_are_forgotten(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "BATCH", 2)
    client, *gone = [sign_in(user) for _ in range(6)]
    keys = [one.session.session_key for one in gone]
    Session.objects.filter(pk__in=keys).update(expire_date=timezone.now())
    tasks.drop_old_sessions()
    assert not Session.objects.filter(pk__in=keys).exists()
    assert not UserSession.objects.filter(session_key__in=keys).exists()
    assert is_in(client)
    assert UserSession.objects.filter(session_key=client.session.session_key).exists()


def test_one_that_was_just_prolonged_is_kept(user: User) -> None:
    """It was over when the list was made, and a request that had begun before saved it."""
    client = sign_in(user)
    key = client.session.session_key
    assert key
    assert sessions.forget([key]) == 0
    assert is_in(client)
    assert UserSession.objects.filter(session_key=key).exists()


def test_a_browser_that_is_new_is_told_of(user: User) -> None:
    first = sign_in(user)
    assert mail.outbox == []  # nobody has signed in before
    sign_in(user, PHONE)
    [message] = mail.outbox
    assert message.subject == "A new sign-in to Nightsafe"
    assert "Safari on an iPhone" in message.body
    [event] = AuditEvent.objects.filter(verb="sign-in.new-browser")
    assert event.detail == {"browser": "Safari on an iPhone"}
    first.post("/accounts/logout/")
    sign_in(user, client=first)
    assert len(mail.outbox) == 1


def test_a_forged_mark_is_no_mark(user: User) -> None:
    sign_in(user)
    client = Client()
    client.cookies["known_browser"] = "anything:at:all"
    sign_in(user, client=client)
    assert len(mail.outbox) == 1


def test_two_people_may_share_a_browser(user: User) -> None:
    eve = person("eve@example.org")
    shared = sign_in(user)
    for one in (eve, user, eve):
        shared.post("/accounts/logout/")
        sign_in(one, client=shared)
    assert mail.outbox == []


def test_a_reset_password_is_on_record(user: User, client: Client) -> None:
    client.post("/accounts/password/reset/", {"email": user.email})
    [link] = re.findall(r"(/accounts/password/reset/key/\S+)", str(mail.outbox[0].body))
    form = client.get(link)["Location"]
    client.post(form, {"password1": "another slot in it", "password2": "another slot in it"})
    event = AuditEvent.objects.get(verb="sign-in.reset")
    assert event.account == user.memberships.get().account
    signed_in = Client()
    signed_in.post("/accounts/login/", {"login": user.email, "password": "another slot in it"})
    assert "set a new password by the link in a mail" in text(signed_in.get("/activity/"))


def test_a_mail_that_cannot_be_sent_stops_nobody(user: User, settings: Settings) -> None:
    sign_in(user)
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_PORT = 1
    sign_in(user, PHONE)
    assert AuditEvent.objects.filter(verb="sign-in.new-browser").exists()


def test_each_notice_of_allauth_has_a_verb() -> None:
    """A new version may tell people of more."""

    source = Path(allauth.__path__[0])
    told = set()
    for app in ("account", "mfa", "usersessions"):
        for file in (source / app).rglob("*.py"):
            told |= set(re.findall(r'send_notification_mail\(\s*"([\w/]+)"', file.read_text()))
    told.discard("account/email/email_deleted")  # one address a person, which is changed
    assert told <= set(ON_RECORD)
    assert len(told) > 5


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (WINDOWS, "Firefox on Windows"),
        (PHONE, "Safari on an iPhone"),
        ("curl/8.5.0", "curl"),
        ("", "A program that is not known here"),
        ("Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0 Safari/537.36", "Chrome on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
    ],
)
def test_agents_in_words(agent: str, words: str) -> None:
    assert in_words(agent) == words
