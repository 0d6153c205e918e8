"""What a mail provider says arrives through anymail's own address, and has its effect."""

import base64
import json
from collections.abc import Mapping

import pytest
from anymail.urls import urlpatterns as anymail_urls
from django.core import mail
from django.urls import include, path
from pytest_django import Settings

from accounts.models import Account, BouncingAddress, Delivery
from accounts.notifications import bounces, deliver
from accounts.notifications.notify import notify
from backup_service.urls import urlpatterns as site_urls
from tests.support.pages import Client

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]
urlpatterns = [*site_urls, path("anymail/", include((anymail_urls, "anymail")))]
SECRET = "provider:secret"


@pytest.fixture(autouse=True)
def _provider(settings: Settings) -> None:
    settings.ANYMAIL = {"WEBHOOK_SECRET": SECRET}


def tell(event: Mapping[str, object], secret: str = SECRET) -> int:
    """Post what Postmark posts."""
    authorization = "Basic " + base64.b64encode(secret.encode()).decode()
    response = Client().post(
        "/anymail/postmark/tracking/",
        json.dumps(event),
        "application/json",
        HTTP_AUTHORIZATION=authorization,
    )
    return int(response.status_code)


def bounce(kind: str, code: int) -> dict[str, object]:
    return {
        "RecordType": "Bounce",
        "Type": kind,
        "TypeCode": code,
        "Email": "Alice@example.org",
        "MessageID": "1",
        "BouncedAt": "2026-11-28T10:00:00Z",
        "Description": "The server was unable to deliver your message",
    }


def is_suppressed() -> bool:
    return bounces.suppressed().filter(email="alice@example.org").exists()


def test_three_bounces_in_a_row(account: Account) -> None:
    for _ in range(2):
        assert tell(bounce("HardBounce", 1)) == 200
        assert not is_suppressed()
    assert tell(bounce("SoftBounce", 4096)) == 200
    assert is_suppressed()
    notify(account, "trial-late", key="late", name="x")
    deliver.deliver_due(deliver.MAILS, seconds=5)
    assert Delivery.objects.get().state == Delivery.State.DROPPED
    assert not mail.outbox


def test_mail_that_arrives_ends_the_row(account: Account) -> None:
    for _ in range(2):
        tell(bounce("SoftBounce", 4096))
    delivered = {
        "RecordType": "Delivery",
        "Recipient": "alice@example.org",
        "MessageID": "2",
        "DeliveredAt": "2026-11-29T10:00:00Z",
        "Details": "accepted",
    }
    assert tell(delivered) == 200
    tell(bounce("SoftBounce", 4096))
    assert not is_suppressed()


def test_an_address_that_is_none(account: Account) -> None:
    assert tell(bounce("BadEmailAddress", 100000)) == 200
    assert is_suppressed()


def test_a_complaint(account: Account) -> None:
    event = bounce("SpamComplaint", 512) | {"RecordType": "SpamComplaint"}
    assert tell(event) == 200
    assert BouncingAddress.objects.get().reason == "complained"


def test_what_passes_by_itself(account: Account) -> None:
    for _ in range(5):
        assert tell(bounce("Transient", 2)) == 200
    assert not BouncingAddress.objects.exists()


def test_it_could_be_anybody(account: Account) -> None:
    assert tell(bounce("HardBounce", 1), secret="provider:guess") == 400
    assert not BouncingAddress.objects.exists()
