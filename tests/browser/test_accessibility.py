"""axe finds nothing on public pages and after forms, light and dark, wide and narrow.

All other pages are looked at by `test_every_page.py`.
"""

import re
import urllib.request
from itertools import product

import pytest
from playwright.sync_api import Browser

from tests.support.browser.accessibility import violations
from tests.support.browser.visitor import Scheme, Visitor

pytestmark = pytest.mark.browser

LOOKS: list[tuple[int, Scheme]] = list(product((1280, 390), ("light", "dark")))
DOORS = ("/accounts/login/", "/accounts/signup/", "/accounts/password/reset/", "/mail/")
AS_WELL = ("/nothing", "/?language=de", "/pricing/", "/download/", "/status/")  # in German
LONG = "x" * 99


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_public_pages(browser: Browser, site: str, width: int, scheme: Scheme) -> None:
    visitor = Visitor(browser, site, width, scheme=scheme)
    with urllib.request.urlopen(f"{site}/sitemap.xml") as answer:
        listed = re.findall(r"<loc>[^<]*?//[^/]+([^<]*)</loc>", answer.read().decode())
    assert len(listed) > 10
    found = []
    for path in (*listed, *DOORS, "/pricing/?every=year", "/download/?for=windows", *AS_WELL):
        visitor.page.goto(site + path)
        visitor.complaints.clear()  # of pages that answer 403 and 404
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
