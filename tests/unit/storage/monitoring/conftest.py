"""A service of which nothing is wrong."""

import pytest

from storage.models import Heartbeat, Region


@pytest.fixture
def quiet_service(settings, regions: list[Region]) -> None:
    """Staff to send alarms to, and every part heard of a moment ago."""
    settings.ADMINS = [("", "staff@example.org")]
    Heartbeat.beat("worker")
    Heartbeat.beat("scrub")
    Heartbeat.beat("sweep")
