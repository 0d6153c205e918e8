"""The status page says what probes and workers saw, and nothing better."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from backup_service import clock
from storage.models import CanaryRun, Channel, Heartbeat, Region
from tests.support.pages import Client, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def well(regions: list[Region]) -> list[Region]:
    """Every part has been heard of lately."""
    for region in regions:
        CanaryRun.objects.create(region=region, went_well=True, seconds=0.5)
    Heartbeat.objects.update_or_create(name="worker", defaults={"at": clock.now()})
    return regions


def test_when_all_is_well(client: Client, well: list[Region]) -> None:
    page = text(client.get("/status/"))
    assert "<h1> Everything works </h1>" in page
    assert "100 %" in page


def test_before_anything_was_probed(client: Client, regions: list[Region]) -> None:
    page = text(client.get("/status/"))
    assert "Everything works" not in page
    assert "No probe has been made yet" in page
    assert "The workers have not been heard of yet." in page


def test_without_any_place(client: Client) -> None:
    assert "There is no place for backups yet." in text(client.get("/status/"))


def test_a_probe_that_did_not_come_back(client: Client, well: list[Region]) -> None:
    CanaryRun.objects.create(region=well[0], went_well=False, seconds=1, error="secret host")
    page = text(client.get("/status/"))
    assert "The last probe went well in 1 of 2 places." in page
    assert "50 %" in page
    assert "secret host" not in page


def test_a_place_that_is_away(client: Client, well: list[Region]) -> None:
    Region.objects.update(away_since=clock.now())
    page = text(client.get("/status/"))
    assert "The last probe failed in every place." in page


def test_probes_that_stopped(client: Client, well: list[Region]) -> None:
    CanaryRun.objects.update(at=clock.now() - timedelta(hours=4))
    assert "It was not probed for some hours." in text(client.get("/status/"))


def test_silent_workers(client: Client, well: list[Region]) -> None:
    Heartbeat.objects.update(at=clock.now() - timedelta(minutes=2))
    assert "The workers are silent." in text(client.get("/status/"))


def test_mail_that_cannot_be_sent(client: Client, well: list[Region]) -> None:
    Channel.objects.create(name="mail", failed_at=clock.now(), error="relay.internal refused")
    page = text(client.get("/status/"))
    assert "The last mail could not be sent." in page
    assert "relay.internal" not in page


def test_places_have_names(client: Client, well: list[Region]) -> None:
    Region.objects.filter(pk=well[0].pk).update(place="Helsinki")
    page = text(client.get("/status/"))
    assert "Helsinki" in page
    assert "Place B" in page


def test_it_costs_the_same_however_much_was_probed(client: Client, well: list[Region]) -> None:
    with CaptureQueriesContext(connection) as few:
        client.get("/status/")
    CanaryRun.objects.bulk_create(
        CanaryRun(region=region, went_well=True, seconds=1) for region in well for _ in range(500)
    )
    with CaptureQueriesContext(connection) as many:
        client.get("/status/")
    assert len(many) == len(few) <= 4
