"""What the webhook takes, and what it refuses: everything that Stripe did not sign just now."""

import json
import time
from typing import Any

import pytest
from pytest_django import Settings
from stripe import WebhookSignature

from billing.models import StripeEvent
from tests.support.pages import Client
from tests.unit.billing.conftest import send

pytestmark = pytest.mark.django_db
SECRET = "whsec_0123456789abcdef"
EVENT = {
    "id": "evt_1",
    "object": "event",
    "type": "invoice.paid",
    "created": 1_770_000_000,
    "data": {"object": {"object": "invoice", "customer": "cus_1"}},
}
BODY = json.dumps(EVENT)


@pytest.fixture(autouse=True)
def _secret(settings: Settings) -> None:
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET]


def status(body: str = BODY, secret: str = SECRET, **more: Any) -> int:
    return send(Client(enforce_csrf_checks=True), body, secret, **more).status_code


def test_a_genuine_event_is_kept_as_it_came_and_once() -> None:
    assert [status() for _ in range(5)] == [200] * 5
    row = StripeEvent.objects.get()
    assert bytes(row.body) == BODY.encode()
    assert (row.event_id, row.type, row.customer) == ("evt_1", "invoice.paid", "cus_1")
    assert row.state == StripeEvent.State.RECEIVED


@pytest.mark.parametrize("seconds", [-299, 0, 299])
def test_a_moment_that_is_near_is_taken(seconds: int) -> None:
    assert status(at=int(time.time()) + seconds) == 200


@pytest.mark.parametrize("seconds", [-86400 * 3, -310, 310, 86400 * 3, 10**10])
def test_a_stale_or_future_moment_is_refused(seconds: int) -> None:
    assert status(at=max(0, int(time.time()) + seconds)) == 400
    assert not StripeEvent.objects.exists()


def test_an_old_moment_that_hides_behind_a_new_one_is_refused() -> None:
    """The library signs over the first moment that it can read, however it is written."""
    now, old = int(time.time()), int(time.time()) - 86400
    signed = WebhookSignature.generate_signature_header(BODY, SECRET, old)
    proof = signed.partition(",")[2]
    for header in (
        f"t={old},{proof},t={now}",
        f"t= {old},{proof},t={now}",
        f"t={now},t={old},{proof}",
        f"t={old},{proof}, t={now}",
        f"t=+{old},{proof},t={now}",
        f"t={old}\u0660,{proof}",
    ):
        assert status(signature=header) == 400, header
    assert not StripeEvent.objects.exists()


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "t=1",
        "v1=abc",
        "t=x,v1=abc",
        "nonsense",
        "t=1,v1=\u00e4\u00f6",
        "v1=" * 1000,
        ",,,===",
        "t",
    ],
)
def test_what_is_not_signed_is_refused(signature: str) -> None:
    assert status(signature=signature) == 400
    assert not StripeEvent.objects.exists()


def test_another_secret_or_body_is_refused_and_both_of_two_secrets_are_taken(
    settings: Settings,
) -> None:
    assert status(secret="whsec_other") == 400
    good = WebhookSignature.generate_signature_header(BODY, SECRET, int(time.time()))
    assert status(BODY.replace("evt_1", "evt_2"), signature=good) == 400
    settings.STRIPE_WEBHOOK_SECRETS = ["whsec_new", SECRET]
    assert (status(), status(secret="whsec_new")) == (200, 200)
    settings.STRIPE_WEBHOOK_SECRETS = []
    assert status() == 400


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{}",
        "null",
        '{"object": "event"}',
        json.dumps(EVENT | {"object": "charge"}),
        json.dumps(EVENT | {"id": "evt 1"}),
        json.dumps(EVENT | {"id": "e" * 256}),
        json.dumps(EVENT | {"id": "evt\u0000"}),
        json.dumps(EVENT | {"created": "soon"}),
        json.dumps(EVENT | {"created": 10**30}),
        json.dumps(EVENT | {"data": []}),
        "[" * 100_000,
    ],
)
def test_what_is_signed_and_no_event_is_refused(body: str) -> None:
    assert status(body) == 400
    assert not StripeEvent.objects.exists()


def test_odd_texts_of_an_event_do_no_harm() -> None:
    about = {"object": "invoice", "customer": "cus\u0000\ud800"}
    assert status(json.dumps(EVENT | {"type": "x" * 500, "data": {"object": about}})) == 200
    row = StripeEvent.objects.get()
    assert (row.type, row.customer) == ("x" * 100, "")


def test_a_body_that_is_too_large_is_not_taken() -> None:
    padded = json.dumps(EVENT | {"padding": "x" * (600 << 10)})
    assert status(padded) == 413


def test_only_posts() -> None:
    assert Client().get("/billing/webhook/").status_code == 405
