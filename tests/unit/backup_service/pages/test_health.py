"""`/healthz` says what customers need, `/readyz` what the whole service needs."""

import pytest
from django.db import OperationalError, connection
from pytest_django import Settings

from backup_service.embedded.ports import any_port
from tests.support.pages import Client

pytestmark = [pytest.mark.django_db, pytest.mark.parametrize("role", ["urls", "gateway_urls"])]


@pytest.fixture(autouse=True)
def _of_one_process(role: str, settings: Settings) -> None:
    settings.ROOT_URLCONF = f"backup_service.{role}"


@pytest.fixture
def no_broker(settings: Settings) -> None:
    settings.BROKER_URL = f"redis://127.0.0.1:{any_port()}/0"


def test_without_a_broker_nobody_is_taken_out(client: Client, no_broker: None) -> None:
    """A load balancer that goes by it must not end restores, which need no broker."""
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json() == {"ok": True, "database": "ok", "broker": "does not answer"}


def test_without_a_broker_the_service_is_not_whole(client: Client, no_broker: None) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["ok"] is False
    assert answer.json()["broker"] == "does not answer"


def test_without_a_database_nothing_is_well(client: Client, no_broker: None) -> None:
    def refuse(*_: object) -> None:
        raise OperationalError("the database is gone")

    with connection.execute_wrapper(refuse):
        answer = client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json() == {
        "ok": False,
        "database": "does not answer",
        "broker": "does not answer",
    }
