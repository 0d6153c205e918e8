"""Sends one delivery: a mail, a signed webhook, or a push message."""

import json
import logging
import smtplib
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus

from anymail.exceptions import AnymailRecipientsRefused
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.urls import reverse
from django.utils.translation import gettext, gettext_noop

from accounts.models import Delivery, Endpoint, Membership, Notice
from accounts.notifications import public_http, tokens
from accounts.notifications.letter import Letter
from accounts.notifications.mail_errors import MAIL_ERRORS
from accounts.notifications.registry import Kind, kind_of
from accounts.reader import worded_for
from accounts.roles import role_word
from accounts.topics import Topic

log = logging.getLogger(__name__)


class NotSentError(Exception):
    """It could not be sent now. The text says why."""


class NoServerError(NotSentError):
    """The mail server does not answer, so that no other mail would get through either."""


class UndeliverableError(Exception):
    """Nobody is there, and trying again is of no use. The text says why."""


def send(delivery: Delivery, now: datetime) -> None:
    """Send what a delivery is about. Raises NotSentError or UndeliverableError."""
    kind = kind_of(delivery.notice.kind)
    if delivery.endpoint is None:
        seat = delivery.membership
        with worded_for(seat.user if seat else None):
            _mail(delivery, kind.topic, kind.write(delivery.notice.values))
        return
    with worded_for(None):
        letter = kind.write(delivery.notice.values)
    headers, body = message(delivery.endpoint, delivery.notice, kind, letter, now)
    _post(delivery.endpoint, headers, body)


def _mail(delivery: Delivery, topic: Topic, letter: Letter) -> None:
    seat = delivery.membership
    footer, headers = "", {}
    if seat is not None:
        footer = _footer(seat, topic)
        if topic is not Topic.SECURITY:
            address = settings.SITE_URL + reverse(
                "unsubscribe", args=[tokens.unsubscribe_token(seat, topic)]
            )
            headers["List-Unsubscribe"] = f"<{address}>"
            headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail = EmailMultiAlternatives(
        letter.subject, letter.text(footer=footer), to=[delivery.address], headers=headers
    )
    mail.attach_alternative(letter.html(footer=footer), "text/html")
    try:
        mail.send()
    except (smtplib.SMTPRecipientsRefused, AnymailRecipientsRefused) as error:
        if _is_final(error):
            raise UndeliverableError(
                gettext_noop("the mail server says that there is no such address")
            ) from error
        raise NotSentError(gettext_noop("the mail server refuses the address for now")) from error
    except MAIL_ERRORS as error:
        raise NoServerError(f"{type(error).__name__}: {error}"[:300]) from error


def _is_final(error: Exception) -> bool:
    """Whether a server refused an address for good (5xx), and not only for the moment."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    return True


def _footer(seat: Membership, topic: Topic) -> str:
    page = settings.SITE_URL + reverse("notifications")
    why = gettext("You get this as %(role)s of the account “%(account)s”.") % {
        "role": role_word(seat.role),
        "account": seat.account.name,
    }
    if topic is Topic.SECURITY:
        return f"{why} {gettext('Mails about security cannot be turned off.')}"
    return f"{why} {gettext('Choose what you are mailed about:')} {page}"


def message(
    endpoint: Endpoint, notice: Notice, kind: Kind, letter: Letter, now: datetime
) -> tuple[dict[str, str], bytes]:
    """Return headers and body of what an endpoint is sent."""
    if endpoint.kind == Endpoint.Kind.PUSH:
        headers = {
            "Content-Type": "text/plain; charset=utf-8",
            "Title": _header(letter.subject),
            "Priority": "high" if letter.is_urgent else "default",
        }
        if letter.link is not None:
            headers["Click"] = letter.link.url
        return headers, letter.summary.encode()[:4000]
    body = json.dumps(
        {
            "type": notice.kind,
            "timestamp": notice.at.isoformat(timespec="seconds"),
            "data": {
                "account": notice.account.public_id,
                "topic": kind.topic.value,
                "subject": letter.subject,
                "text": letter.summary,
                "url": letter.link.url if letter.link else None,
                "values": notice.values,
            },
        }
    ).encode()
    message_id, timestamp = f"msg_{notice.pk}", int(now.timestamp())
    signed = tokens.signature(
        tokens.signing_key(endpoint), message_id=message_id, timestamp=timestamp, body=body
    )
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signed,
    }, body


def _header(text: str) -> str:
    """Return a header's value; what is no ASCII as an encoded word, which ntfy reads."""
    if text.isascii():
        return text
    from email.header import Header

    return Header(text, "utf-8", maxlinelen=10_000).encode()


def _post(endpoint: Endpoint, headers: Mapping[str, str], body: bytes) -> None:
    all_headers = {"User-Agent": f"Nightsafe/{settings.VERSION}", **headers}
    try:
        status = public_http.post(
            endpoint.url,
            body=body,
            headers=all_headers,
            allow_private=settings.ENDPOINTS_MAY_BE_PRIVATE,
        )
    except public_http.UnreachableError as error:
        raise NotSentError(str(error)) from error
    if status == HTTPStatus.GONE:
        raise UndeliverableError(gettext_noop("its host answered 410: nobody is there any more"))
    if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        raise NotSentError(f"its host answered {status}")
