"""Mails an invitation."""

import logging

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext_lazy

from accounts.members.invitations import NewInvitation
from accounts.notifications.mail_errors import MAIL_ERRORS

log = logging.getLogger(__name__)
SUBJECT = gettext_lazy("You are invited to Nightsafe")


def send_invitation(made: NewInvitation) -> bool:
    """Mail the link; return whether a mail server took it. Not inside a transaction."""
    link = settings.SITE_URL + reverse("invitation_link", args=[made.token])
    context = {"invitation": made.invitation, "link": link, "site_url": settings.SITE_URL}
    text = render_to_string("accounts/email/invitation.txt", context)
    try:
        send_mail(SUBJECT, text, None, [made.invitation.email])
    except MAIL_ERRORS:
        log.exception("an invitation could not be mailed")
        return False
    return True
