"""The page that shows an embedded service's mails to the one who runs it."""

from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.core.mail import send_mail
from django.test import RequestFactory
from pytest_django import Settings

from backup_service.pages.mail_viewer import is_local, read_mails
from tests.support.pages import Client, read, text

pytestmark = pytest.mark.django_db

HERE: dict[str, Any] = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "127.0.0.1:8000"}


TOKEN = "a token that was printed"


@pytest.fixture(autouse=True)
def token(settings: Settings) -> None:
    settings.MAIL_TOKEN = TOKEN


@pytest.fixture
def opened(client: Client) -> Client:
    """A browser that was given the printed token once."""
    response = client.post("/mail/", {"token": TOKEN}, **HERE)
    assert (response.status_code, response.url) == (302, "/mail/")
    return client


@pytest.fixture
def filed(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = settings.MAIL_DIR


def send(subject: str, body: str = "Hello", to: str = "dora@example.org") -> None:
    send_mail(subject, body, "service@example.org", [to])


def test_newest_mails_come_first(opened: Client, filed: None) -> None:
    for subject in ("first", "second — with “quotes”"):
        send(subject)
    page = text(opened.get("/mail/", **HERE))
    assert page.index("second — with “quotes”") < page.index("first")
    assert "dora@example.org" in page


def test_links_can_be_followed_and_markup_cannot(opened: Client, filed: None) -> None:
    send("link", "Open http://127.0.0.1:8000/accounts/confirm-email/Mg:1x:y-z/ <b>now</b>")
    response = opened.get("/mail/", **HERE)
    assert "http://127.0.0.1:8000/accounts/confirm-email/Mg:1x:y-z/" in read(response).links
    assert "<b>now" not in text(response)


def test_several_mails_of_one_connection(opened: Client, filed: None) -> None:
    connection = mail.get_connection()
    message = mail.EmailMessage("one", "1", "a@example.org", ["b@example.org"])
    other = mail.EmailMessage("two", "2\n" + "-" * 30, "a@example.org", ["b@example.org"])
    connection.send_messages([message, other])
    page = text(opened.get("/mail/", **HERE))
    assert page.index(">two<") < page.index(">one<")


def test_no_mail_yet(opened: Client) -> None:
    assert "No mail has been sent yet." in text(opened.get("/mail/", **HERE))


def test_a_half_written_file_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "1.log").write_bytes(b"Subject: =?utf-8?q?cut\nTo: \xff\xfe\n\n\xff")
    (tmp_path / "2.log").write_bytes(b"")
    (tmp_path / "3.log").write_bytes(b"Date: not a date\nSubject: x\n\ny")
    assert len(read_mails(tmp_path)) == 2


def test_only_embedded(opened: Client, settings: Settings) -> None:
    settings.EMBEDDED = False
    assert opened.get("/mail/", **HERE).status_code == 404


@pytest.mark.parametrize("given", [{}, {"token": ""}, {"token": "guessed"}, {"token": "größe"}])
def test_other_users_of_this_computer_see_nothing(
    client: Client, filed: None, given: dict[str, str]
) -> None:
    """They reach the page as its owner does, and know no token."""
    send("reset", "Open http://127.0.0.1:8000/accounts/password/reset/key/1-secret/")
    for response in client.get("/mail/", **HERE), client.post("/mail/", given, **HERE):
        assert response.status_code == 403
        assert "secret" not in response.content.decode()
        assert "wants the token that was printed" in text(response)
        assert "nightsafe_mail" not in response.cookies


def test_without_a_token_nobody_gets_in(client: Client, settings: Settings) -> None:
    settings.MAIL_TOKEN = ""
    client.cookies["nightsafe_mail"] = ""
    assert client.get("/mail/", **HERE).status_code == 403
    assert client.post("/mail/", {"token": ""}, **HERE).status_code == 403


def test_an_address_opens_nothing(client: Client) -> None:
    """Addresses stand in logs and histories."""
    assert client.get("/mail/", {"token": TOKEN}, **HERE).status_code == 403


def test_the_cookie_is_for_this_page_alone(opened: Client) -> None:
    cookie = opened.cookies["nightsafe_mail"]
    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == ("/mail/", True, "Lax")


@pytest.mark.parametrize(
    ("there", "local"),
    [
        ({}, True),
        ({"REMOTE_ADDR": "::1", "HTTP_HOST": "[::1]:8000"}, True),
        ({"HTTP_HOST": "localhost:8000"}, True),
        ({"REMOTE_ADDR": "10.0.0.9"}, False),
        ({"REMOTE_ADDR": ""}, False),
        ({"HTTP_HOST": "backup.example.org"}, False),
        ({"HTTP_X_FORWARDED_FOR": "10.0.0.9"}, False),
        ({"HTTP_FORWARDED": "for=10.0.0.9"}, False),
        ({"HTTP_VIA": "1.1 proxy"}, False),
    ],
)
def test_only_from_this_computer(settings: Settings, there: dict[str, str], local: bool) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    assert is_local(RequestFactory().get("/mail/", **(HERE | there))) is local


def test_elsewhere_it_is_not_found(opened: Client) -> None:
    assert opened.get("/mail/", **(HERE | {"REMOTE_ADDR": "10.0.0.9"})).status_code == 404
