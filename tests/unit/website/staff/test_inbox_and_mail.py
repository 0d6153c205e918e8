"""Staff's inbox of Stripe's events, and the mail log: what came, what went, and nothing secret."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.audit import SERVICE
from accounts.models import Account, AuditEvent, BouncingAddress, Delivery, Endpoint, Notice
from accounts.notifications import endpoints
from accounts.topics import Topic
from backup_service import clock
from billing.models import StripeEvent
from tests.support.pages import Client, text

pytestmark = pytest.mark.django_db
EVENTS = "/admin/billing/stripeevent/"


def event(name: str, state: str = "parked") -> StripeEvent:
    return StripeEvent.objects.create(
        event_id=name,
        type="invoice.paid",
        created_at=clock.now(),
        body=b'{"secret": "body"}',
        state=state,
        attempts=12,
    )


def test_events_are_replayed_after_asking(billing: Client) -> None:
    chosen, other = event("evt_1"), event("evt_2")
    body = {"action": "replay", "_selected_action": [chosen.pk]}
    asked = text(billing.post(EVENTS, body))
    assert "read from Stripe again" in asked
    chosen.refresh_from_db()
    assert chosen.state == "parked"
    billing.post(EVENTS, body | {"sure": "yes"})
    chosen.refresh_from_db()
    other.refresh_from_db()
    assert (chosen.state, chosen.attempts, other.state) == ("received", 0, "parked")
    made = AuditEvent.objects.get(verb="payment.replay")
    assert (made.actor_label, made.detail) == ("billing@example.org", {"events": ["evt_1"]})


def test_the_body_of_an_event_is_not_shown(billing: Client) -> None:
    row = event("evt_1", "done")
    page = billing.get(reverse("admin:billing_stripeevent_change", args=[row.pk]))
    assert "evt_1" in text(page)
    assert "secret" not in text(page)


def test_the_mail_log_tells_what_went_where_and_not_what_it_said(
    support: Client, account: Account
) -> None:
    notice = Notice.objects.create(
        account=account, kind="late", key="late:1", values={"link": "https://here/secret-link"}
    )
    chosen = endpoints.Settings("pager", "https://example.org/secret-hook", [Topic.BACKUPS])
    endpoint = endpoints.add(account, kind=Endpoint.Kind.WEBHOOK, chosen=chosen, actor=SERVICE)
    sent = Delivery.objects.create(
        notice=notice, account=account, address="alice@example.org", state="sent"
    )
    Delivery.objects.create(
        notice=notice, account=account, endpoint=endpoint, state="failed", error="answered 500"
    )
    BouncingAddress.objects.create(email="gone@example.org", reason="bounced", count=3)
    log = text(support.get("/admin/accounts/delivery/", {"q": account.public_id}))
    for word in ("late", "alice@example.org", "pager", "answered 500"):
        assert word in log
    pages = [
        "/admin/accounts/notice/",
        "/admin/accounts/endpoint/",
        *(
            reverse(f"admin:accounts_{row._meta.model_name}_change", args=[row.pk])
            for row in (notice, endpoint, sent)
        ),
    ]
    for path in pages:
        response = support.get(path)
        assert response.status_code == 200
        assert "secret" not in text(response), path
    assert "gone@example.org" in text(support.get("/admin/accounts/bouncingaddress/"))


def test_logs_of_a_thousand_rows_take_as_many_queries_as_of_one(
    sam: Client, account: Account
) -> None:
    notice = Notice.objects.create(account=account, kind="late", key="late:1")
    paths = (EVENTS, "/admin/accounts/delivery/", "/admin/accounts/auditevent/")
    counts = []
    for rows in (1, 1000):
        StripeEvent.objects.bulk_create(
            StripeEvent(event_id=f"evt_{rows}_{n}", created_at=clock.now(), body=b"{}")
            for n in range(rows)
        )
        Delivery.objects.bulk_create(
            Delivery(notice=notice, account=account, address="a@example.org") for _ in range(rows)
        )
        AuditEvent.objects.bulk_create(
            AuditEvent(account=account, actor_label="x", verb="x") for _ in range(rows)
        )
        for path in paths:
            sam.get(path)
            with CaptureQueriesContext(connection) as queries:
                sam.get(path)
            counts.append(len(queries))
    assert counts[:3] == counts[3:]
    assert max(counts) <= 14
