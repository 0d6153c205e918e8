"""Every page there is, found by its route, as everybody sees it: nothing about it is wrong."""

import pytest
from playwright.sync_api import Browser

from tests.support.browser.accessibility import violations
from tests.support.browser.visitor import Scheme
from tests.support.browser.walk import PEOPLE, Walk, faults, fill, misfits

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

LOOKS: list[tuple[int, Scheme]] = [(1280, "light"), (390, "dark")]
# How many pages somebody sees at least, beside those that others saw in the same words.
AT_LEAST = {"owner": 60, "staff": 60}


@pytest.fixture(scope="module")
def walk(browser: Browser, site: str, site_environment: dict[str, str]) -> Walk:
    """A walk through a website with everything in it that a page may have to show."""
    return Walk(browser, site, fill(site_environment))


@pytest.mark.parametrize("who", PEOPLE)
def test_every_page(walk: Walk, who: str) -> None:
    """A page is loaded on a wide screen or a narrow one, in turn, and looked at on both."""
    visitor = walk.visitor(who, *LOOKS[0])
    found, count = [], 0
    for count, stop in enumerate(walk.stops(who), 1):
        found += faults(visitor, stop)
        found += violations(visitor.page)
        visitor.turn(*LOOKS[count % 2])
        found += misfits(visitor, stop)
        found += violations(visitor.page)
    visitor.context.close()
    assert not found, "\n".join(found)
    assert walk.failures == []
    assert count >= AT_LEAST.get(who, 1)
