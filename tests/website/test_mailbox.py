"""The page that shows an embedded service's mails to the one who runs it."""

import pytest
from django.core import mail
from django.core.mail import send_mail
from django.test import RequestFactory

from backup_service.mailbox import is_local, read_mails
from tests.website.pages import read, text

pytestmark = pytest.mark.django_db

HERE = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "127.0.0.1:8000"}


@pytest.fixture
def filed(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = settings.MAIL_DIR


def send(subject: str, body: str = "Hello", to: str = "dora@example.org") -> None:
    send_mail(subject, body, "service@example.org", [to])


def test_newest_mails_come_first(client, filed):
    for subject in ("first", "second — with “quotes”"):
        send(subject)
    page = text(client.get("/mail/", **HERE))
    assert page.index("second — with “quotes”") < page.index("first")
    assert "dora@example.org" in page


def test_links_can_be_followed_and_markup_cannot(client, filed):
    send("link", "Open http://127.0.0.1:8000/accounts/confirm-email/Mg:1x:y-z/ <b>now</b>")
    response = client.get("/mail/", **HERE)
    assert "http://127.0.0.1:8000/accounts/confirm-email/Mg:1x:y-z/" in read(response).links
    assert "<b>now" not in text(response)


def test_several_mails_of_one_connection(client, filed):
    connection = mail.get_connection()
    message = mail.EmailMessage("one", "1", "a@example.org", ["b@example.org"])
    other = mail.EmailMessage("two", "2\n" + "-" * 30, "a@example.org", ["b@example.org"])
    connection.send_messages([message, other])
    page = text(client.get("/mail/", **HERE))
    assert page.index(">two<") < page.index(">one<")


def test_no_mail_yet(client):
    assert "No mail has been sent yet." in text(client.get("/mail/", **HERE))


def test_a_half_written_file_does_no_harm(tmp_path):
    (tmp_path / "1.log").write_bytes(b"Subject: =?utf-8?q?cut\nTo: \xff\xfe\n\n\xff")
    (tmp_path / "2.log").write_bytes(b"")
    (tmp_path / "3.log").write_bytes(b"Date: not a date\nSubject: x\n\ny")
    assert len(read_mails(tmp_path)) == 2


def test_only_embedded(client, settings):
    settings.EMBEDDED = False
    assert client.get("/mail/", **HERE).status_code == 404


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
def test_only_from_this_computer(settings, there, local):
    settings.ALLOWED_HOSTS = ["*"]
    assert is_local(RequestFactory().get("/mail/", **(HERE | there))) is local


def test_elsewhere_it_is_not_found(client):
    assert client.get("/mail/", **(HERE | {"REMOTE_ADDR": "10.0.0.9"})).status_code == 404
