"""Figures for Prometheus, for whoever has the token."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries as AssertQueries
from pytest_django import Settings

from accounts.models import Delivery, Tally
from accounts.notifications.notify import notify
from accounts.tallies import MOST_KINDS, Tallies, tallies
from backup_service import clock
from backup_service.env import BASE_DIR
from billing.models import StripeEvent, Subscription
from storage.events import refusals
from storage.events.refusals import Refusal
from storage.models import Region
from storage.monitoring import alarms
from storage.object_names import ObjectType
from storage.vaults.enrolment import Enrolled
from tests.support.pages import Client
from tests.unit.website.conftest import deposit

pytestmark = pytest.mark.django_db
TOKEN = "a token for the tests"


def figures(text: str) -> dict[str, float]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def test_there_are_none_without_a_token(client: Client, settings: Settings) -> None:
    settings.METRICS_TOKEN = ""
    assert client.get("/metrics").status_code == 404
    assert client.get("/metrics", headers={"authorization": "Bearer "}).status_code == 404


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN])
def test_a_wrong_token_is_refused(client: Client, settings: Settings, given: str) -> None:
    settings.METRICS_TOKEN = TOKEN
    assert client.get("/metrics", headers={"authorization": given}).status_code == 401


def test_staff_has_no_way_around_it(sam: Client, settings: Settings) -> None:
    settings.METRICS_TOKEN = TOKEN
    assert sam.get("/metrics").status_code == 401


def test_backlog_and_ages_are_told_by_region(
    client: Client, laptop: Enrolled, settings: Settings
) -> None:
    settings.METRICS_TOKEN = TOKEN
    for _ in range(3):
        deposit(laptop, ObjectType.DATA, 2_000_000)
    response = client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})
    assert response.status_code == 200
    assert response["content-type"].startswith("text/plain; version=0.0.4")
    told = figures(response.content.decode())
    assert told['nightsafe_backlog_objects{region="b"}'] == 3
    assert told['nightsafe_backlog_bytes{region="b"}'] == 6_000_000
    assert told['nightsafe_backlog_objects{region="a"}'] == 0
    assert told["nightsafe_lost_objects"] == 0
    assert 'nightsafe_canary_age_seconds{region="a"}' in told
    assert 'nightsafe_scrub_age_seconds{region="a"}' in told


@pytest.fixture
def read(client: Client, settings: Settings) -> Callable[[], dict[str, float]]:
    settings.METRICS_TOKEN = TOKEN
    settings.TALLIES_EVERY = 0.0
    tallies.clear()  # of what other tests did in this process

    def ask() -> dict[str, float]:
        tallies.write_if_due()
        response = client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})
        return figures(response.content.decode())

    return ask


Read = Callable[[], dict[str, float]]


def test_people_and_refusals_are_counted(
    client: Client, laptop: Enrolled, regions: list[Region], read: Read
) -> None:
    before = read()
    assert before["nightsafe_sign_ups_total"] == before["nightsafe_sign_in_failures_total"] == 0
    for _ in range(2):
        client.post("/accounts/login/", {"login": "alice@example.org", "password": "guess"})
    client.get("/api/v1/account/")
    refusal = Refusal(laptop.vault.pk, laptop.first.credential, 507, "over-quota", "Full.")
    refusals.write(refusal, 3)
    told = read()
    assert told["nightsafe_sign_in_failures_total"] == 2
    assert told['nightsafe_refusals_total{cause="over-quota",status="507"}'] == 3
    name = 'nightsafe_api_requests_total{method="GET",route="api/v1/account/",status="401"}'
    assert told[name] == 1
    assert told['nightsafe_accounts{state="active"}'] == 1


def test_somebody_who_signs_up_is_counted(
    client: Client, read: Read, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        client.post("/accounts/signup/", {"email": "new@example.org", "password1": "a slot in it"})
    assert read()["nightsafe_sign_ups_total"] == 1


def test_labels_are_bounded_and_hold_no_markup() -> None:
    made = Tallies()
    made.count("refusals", cause='x"} evil\n', status=1)
    for n in range(3000):
        made.count("refusals", cause=f"c{n}")
    made.write()
    assert Tally.objects.count() <= MOST_KINDS + 1
    assert Tally.objects.get(labels='kind="other"').count == 3001 - MOST_KINDS
    assert Tally.objects.filter(labels='cause="x evil",status="1"').exists()


def test_what_waits_and_who_owes(laptop: Enrolled, read: Read) -> None:
    now = clock.now()
    notify(laptop.vault.account, "backup-never", key="x", name="laptop", vault="v", added="today")
    Delivery.objects.update(next_attempt_at=now - timedelta(minutes=90))
    for number, state in enumerate(("received", "received", "parked")):
        StripeEvent.objects.create(
            event_id=f"evt_{number}",
            type="invoice.paid",
            created_at=now,
            body=b"{}",
            state=state,
            next_attempt_at=now - timedelta(minutes=10 * number),
        )
    Subscription.objects.update(
        unpaid_since=now - timedelta(days=20), stripe_customer="cus_1", next_sync_at=now
    )
    told = read()
    assert told["nightsafe_mails_waiting"] >= 1
    assert told["nightsafe_mails_late_seconds"] == pytest.approx(5400, abs=60)
    assert told["nightsafe_payment_events_waiting"] == 2
    assert told["nightsafe_payment_events_late_seconds"] == pytest.approx(600, abs=60)
    assert told["nightsafe_payment_events_parked"] == 1
    assert told['nightsafe_unpaid_accounts{step="read_only"}'] == 1
    assert told['nightsafe_unpaid_accounts{step="grace"}'] == 0
    assert told["nightsafe_payment_syncs_due"] == 1
    assert told["nightsafe_undeletes_running"] == 0
    alarms.refresh()
    told = read()
    assert told['nightsafe_alarms_open{kind="notices"}'] == 1
    assert told['nightsafe_alarms_open{kind="payment-events-parked"}'] == 1
    assert 'nightsafe_alarms_open{kind="payment-events"}' not in told  # ten minutes are no alarm


def test_each_metric_is_in_the_table_of_the_documents(read: Read) -> None:
    table = (BASE_DIR / "docs" / "operations.md").read_text()
    names = {name.partition("{")[0].removeprefix("nightsafe_") for name in read()}
    assert sorted(name for name in names if f"`{name}`" not in table) == []


def test_it_costs_the_same_however_much_there_is(
    client: Client,
    laptop: Enrolled,
    settings: Settings,
    django_assert_max_num_queries: AssertQueries,
) -> None:
    settings.METRICS_TOKEN = TOKEN
    for n in range(50):
        notify(laptop.vault.account, "backup-never", key=f"{n}", name="x", vault="v", added="now")
    with django_assert_max_num_queries(30):
        client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})
