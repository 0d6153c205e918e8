"""The mail server is asked once a day, by real SMTP, and nothing is sent."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import TextIO

import pytest
from pytest_django import Settings

from backup_service import clock
from storage.models import Channel, Region
from storage.monitoring import alarms, mail_probe

pytestmark = pytest.mark.django_db


class MailServer:
    """A small SMTP server on a port of its own. `noop` is what it answers to NOOP."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.noop = "250 fine"
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        with suppress(OSError):  # closed before
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            with client, client.makefile("rw", newline="") as lines:
                self._speak(lines)

    def _speak(self, lines: TextIO) -> None:
        answers = {"EHLO": "250 here", "NOOP": self.noop, "QUIT": "221 bye"}
        lines.write("220 here\r\n")
        lines.flush()
        for line in lines:
            word = line.split()[0].upper()
            self.heard.append(word)
            lines.write(answers.get(word, "502 what") + "\r\n")
            lines.flush()


@pytest.fixture
def server(settings: Settings, regions: list[Region]) -> Iterator[MailServer]:
    made = MailServer()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", made.port
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    yield made
    made.close()


def keys() -> set[str]:
    return {found.key for found in alarms.present()}


def test_once_a_day_and_nothing_is_sent(server: MailServer) -> None:
    assert mail_probe.probe_if_due() is True
    assert mail_probe.probe_if_due() is None
    assert server.heard == ["EHLO", "NOOP", "QUIT"]
    row = Channel.objects.get(name="mail-probe")
    assert row.failed_at is None
    assert row.worked_at is not None
    with clock.travelled(timedelta(days=1)):
        assert mail_probe.probe_if_due() is True


def test_two_days_of_refusals_are_an_alarm_and_an_answer_ends_it(server: MailServer) -> None:
    server.noop = "421 too busy"
    assert mail_probe.probe_if_due() is False
    assert "mail-probe" not in keys()
    with clock.travelled(timedelta(days=1)):
        assert mail_probe.probe_if_due() is False
    with clock.travelled(timedelta(days=1, hours=1)):
        assert "mail-probe" in keys()
        text = next(one.text for one in alarms.present() if one.key == "mail-probe")
        assert "421" in text
        server.noop = "250 fine"
    with clock.travelled(timedelta(days=2)):
        assert mail_probe.probe_if_due() is True
        assert not keys() & {"mail-probe", "mail"}


def test_a_server_that_is_not_there(server: MailServer) -> None:
    server.close()
    assert mail_probe.probe() is False
    assert "ConnectionRefused" in Channel.objects.get(name="mail-probe").error


def test_mail_into_a_folder_is_not_asked(settings: Settings, regions: list[Region]) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert mail_probe.probe_if_due() is None
    assert mail_probe.probe() is None
    assert "mail-probe" not in keys()
