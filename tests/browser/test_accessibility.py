"""axe finds nothing on public pages in German, and after forms.

All pages are looked at in English by `test_every_page.py`.
"""

import re
import urllib.request

import pytest
from playwright.sync_api import Browser

from tests.support.browser.accessibility import violations
from tests.support.browser.visitor import Scheme, Visitor

pytestmark = pytest.mark.browser

LOOKS: list[tuple[int, Scheme]] = [(1280, "dark"), (390, "light")]
LONG = "x" * 99


def test_public_pages_in_german(browser: Browser, site: str) -> None:
    with urllib.request.urlopen(f"{site}/sitemap.xml") as answer:
        listed = re.findall(r"<loc>[^<]*?//[^/]+([^<]*)</loc>", answer.read().decode())
    assert len(listed) > 10
    visitor = Visitor(browser, site, 1280, locale="de")
    found = []
    for path in (*listed, "/accounts/login/", "/accounts/signup/", "/download/?for=windows"):
        visitor.go(path)
        assert visitor.page.locator("html").get_attribute("lang") == "de"
        for look in LOOKS:
            visitor.turn(*look)
            visitor.look()
            found += violations(visitor.page)
    assert found == []


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_a_secret_that_is_shown_once_and_a_form_that_is_refused(
    browser: Browser, site: str, width: int, scheme: Scheme
) -> None:
    visitor = Visitor(browser, site, width, scheme=scheme)
    visitor.sign_up(f"{width}-{scheme}-with-quite-a-long-address@example.org")
    found = violations(visitor.page)
    visitor.go("/devices/add/")
    visitor.page.get_by_label("Name of the computer").fill(LONG)
    visitor.press("Add it and show the secret")
    found += violations(visitor.page)
    visitor.page.goto(site + "/devices/add/")
    visitor.page.get_by_label("Name of the computer").fill(LONG)
    visitor.press("Add it and show the secret")  # the name is taken
    found += violations(visitor.page)
    assert found == []


def test_the_open_menu(browser: Browser, site: str) -> None:
    visitor = Visitor(browser, site, 390)
    visitor.go("/")
    visitor.page.get_by_role("button", name="Menu").click()
    assert violations(visitor.page) == []
