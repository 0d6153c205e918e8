"""Asks the mail server once a day whether it would take a mail, without sending one.

A service that has nothing to tell for weeks would else find out at the first alarm. Mail that goes
through a provider's API, or into a folder, has no such question; there only real mails tell.
"""

import logging
import smtplib
from datetime import timedelta

from django.core.mail import get_connection
from django.core.mail.backends.smtp import EmailBackend
from django.db.models import Q

from backup_service import clock
from storage.models import Channel

log = logging.getLogger(__name__)
CHANNEL = "mail-probe"  # its row
EVERY = timedelta(hours=23)


def probe_if_due() -> bool | None:
    """Probe once a day; return whether the server answers, or None if nothing was asked."""
    lately = clock.now() - EVERY
    row, _ = Channel.objects.get_or_create(name=CHANNEL)
    due = Channel.objects.filter(Q(probed_at=None) | Q(probed_at__lte=lately), pk=row.pk)
    if not due.update(probed_at=clock.now()):
        return None
    return probe()


def probe() -> bool | None:
    """Greet the server, with TLS and password if it is told to, and record how that went."""
    connection = get_connection()
    if not isinstance(connection, EmailBackend):
        return None
    try:
        _greet(connection)
    except (OSError, smtplib.SMTPException) as error:
        log.error("the mail server refuses the probe: %s", type(error).__name__)
        _note_failure(f"{type(error).__name__}: {error}"[:300])
        return False
    Channel.objects.filter(name=CHANNEL).update(worked_at=clock.now(), failed_at=None, error="")
    return True


def _greet(connection: EmailBackend) -> None:
    try:
        connection.open()
        server = connection.connection
        if server is None:
            raise OSError("no connection")
        server.ehlo_or_helo_if_needed()
        code, _ = server.noop()
        if code != 250:
            raise smtplib.SMTPResponseException(code, "the server did not take NOOP")
    finally:
        connection.close()


def _note_failure(error: str) -> None:
    """Record a failure; since when it fails is when it began to."""
    Channel.objects.get_or_create(name=CHANNEL)
    mine = Channel.objects.filter(name=CHANNEL)
    mine.update(error=error)
    mine.filter(failed_at=None).update(failed_at=clock.now())
