"""Figures for Prometheus, for whoever has the token."""

import pytest
from pytest_django import Settings

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
