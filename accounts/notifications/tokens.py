"""Signs the addresses by which mails about a topic are ended, and the keys of webhooks."""

import base64
import hmac

from django.core import signing
from django.utils.crypto import salted_hmac

from accounts.models import Endpoint, Membership
from accounts.topics import Topic

_SALT = "accounts.notifications.unsubscribe"


def unsubscribe_token(membership: Membership, topic: Topic) -> str:
    """Return what ends a member's mails about a topic, and nothing else. It does not run out."""
    return signing.dumps([membership.pk, topic.value], salt=_SALT)


def read_unsubscribe_token(token: str) -> tuple[int, Topic] | None:
    """Return the member's primary key and the topic, or None for what we have not signed."""
    try:
        pk, topic = signing.loads(token, salt=_SALT)
        return int(pk), Topic(topic)
    except (signing.BadSignature, TypeError, ValueError):
        return None


def signing_key(endpoint: Endpoint) -> bytes:
    """Return the 32 bytes that a webhook's messages are signed with.

    Derived from the service's secret, so that no database holds them.
    """
    named = f"{endpoint.public_id}:{endpoint.key_version}"
    return salted_hmac("accounts.notifications.webhook", named, algorithm="sha256").digest()


def shown_key(endpoint: Endpoint) -> str:
    """Return the key as Standard Webhooks writes it."""
    return "whsec_" + base64.b64encode(signing_key(endpoint)).decode("ascii")


def signature(key: bytes, *, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the header `webhook-signature` of Standard Webhooks, version 1."""
    signed = b".".join([message_id.encode(), str(timestamp).encode(), body])
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode("ascii")
