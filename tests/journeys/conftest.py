"""Whole services for journeys."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.journeys.service import Service

StartService = Callable[..., Service]


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One running service for all tests that leave it whole."""
    running = Service(tmp_path_factory.mktemp("service") / "data")
    try:
        yield running.start()
    finally:
        running.close()


def _made_in(folder: Path) -> Iterator[StartService]:
    made: list[Service] = []

    def make(**environment: str) -> Service:
        # A name with everything that is special somewhere, so that no test needs to try it.
        made.append(Service(folder / f"data #{len(made)} 50%? größe", **environment))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def own_service(tmp_path: Path) -> Iterator[StartService]:
    """Make a service of the test's own, to be started by it: `own_service().start()`.

    Words become the environment: `own_service(NIGHTSAFE_REGIONS="a=/x,b=/y")`.
    """
    yield from _made_in(tmp_path)


@pytest.fixture(scope="class")
def class_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartService]:
    """Make a service that the tests of a class share, as `own_service` does."""
    yield from _made_in(tmp_path_factory.mktemp("class"))
