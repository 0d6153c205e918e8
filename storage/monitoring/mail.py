"""Sends mail, and records whether that works."""

import logging
from collections.abc import Sequence

from django.conf import settings
from django.core.mail import EmailMessage

from accounts.models import User
from accounts.notifications.mail_errors import MAIL_ERRORS
from backup_service import clock
from storage.models import Channel

log = logging.getLogger(__name__)
CHANNEL = "mail"  # its row


def send(subject: str, text: str, *, to: Sequence[str]) -> bool:
    """Send one mail to each of `to`; return whether all went out.

    Never raises for a mail server's sake: a failure is written down, shown to staff as an alarm
    of its own, and the caller tries again later. With nobody to send to, there is nothing to do.
    """
    try:
        for address in to:
            EmailMessage(" ".join(subject.split()), text, to=[address]).send()
    except MAIL_ERRORS as error:
        log.error("mail could not be sent: %s", type(error).__name__)
        Channel.objects.update_or_create(
            name=CHANNEL,
            defaults={"failed_at": clock.now(), "error": f"{type(error).__name__}: {error}"[:300]},
        )
        return False
    if to:
        Channel.objects.update_or_create(
            name=CHANNEL, defaults={"worked_at": clock.now(), "failed_at": None, "error": ""}
        )
    return True


def staff() -> list[str]:
    """Return the addresses that alarms go to: NIGHTSAFE_ADMINS, or else the superusers."""
    named = [address for _, address in settings.ADMINS]
    if named:
        return named
    chosen = User.objects.filter(is_superuser=True, is_active=True).order_by("pk")
    return list(chosen.values_list("email", flat=True))
