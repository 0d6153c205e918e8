"""A service of which nothing is wrong."""

import pytest
from pytest_django import Settings

from storage.models import Heartbeat, Region


@pytest.fixture
def quiet_service(settings: Settings, regions: list[Region]) -> None:
    """Staff to send alarms to, and every part heard of a moment ago."""
    settings.ADMINS = [("", "staff@example.org")]
    Heartbeat.beat("worker")
    Heartbeat.beat("scrub")
    Heartbeat.beat("sweep")
