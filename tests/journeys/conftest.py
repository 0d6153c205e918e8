"""Whole services for journeys."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.journeys.service import Service

StartService = Callable[..., Service]


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One running service for all tests that leave it whole."""
    running = Service(tmp_path_factory.mktemp("service") / "data")
    try:
        yield running.start()
    finally:
        running.close()


@pytest.fixture
def own_service(tmp_path: Path) -> Iterator[StartService]:
    """Make a service of the test's own, to be started by it: `own_service().start()`.

    Words become the environment: `own_service(NIGHTSAFE_REGIONS="a=/x,b=/y")`.
    """
    made: list[Service] = []

    def make(**environment: str) -> Service:
        made.append(Service(tmp_path / f"data-{len(made)}", **environment))
        return made[-1]

    yield make
    for one in made:
        one.close()
