"""A website as an embedded service runs it, and a real Chromium to look at it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.browser.site import CHROMIUM, chromium, environment, running
from tests.support.programs import leave_out


@pytest.fixture(scope="session")
def site_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the website's processes, and an operator's commands, have in their environment."""
    return environment(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="session")
def site(site_environment: dict[str, str]) -> Iterator[str]:
    """The website as an embedded service runs it."""
    with running(site_environment) as address:
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        leave_out("no chromium is here (Debian: apt install chromium)")
    with chromium() as started:
        yield started
