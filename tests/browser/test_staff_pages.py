"""Staff at work in a real browser: support helps a customer."""

import re
import subprocess
import sys
import time

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from playwright.sync_api import Browser

from backup_service.env import BASE_DIR
from tests.support.browser.accessibility import violations
from tests.support.browser.visitor import PASSWORD, Visitor

pytestmark = pytest.mark.browser

STEP = 30  # seconds that a code is good for
CUSTOMER, STAFF = "customer-of-staff@example.org", "support-in-browser@example.org"


def code(secret: str, steps: int) -> str:
    return format_hotp_value(hotp_value(secret, int(time.time()) // STEP + steps))


def manage(environment: dict[str, str], *words: str) -> None:
    command = [sys.executable, "manage.py", *words]
    subprocess.run(command, cwd=BASE_DIR, env=environment, check=True, capture_output=True)


def become_staff(visitor: Visitor, environment: dict[str, str]) -> None:
    """Sign up, add an app as second factor, be taken on, and show it at the staff's door."""
    visitor.sign_up(STAFF)
    visitor.go("/accounts/2fa/totp/activate/")
    visitor.page.get_by_label("Password").fill(PASSWORD)
    visitor.press("Go on")
    secret = visitor.page.locator("main code").inner_text()
    visitor.page.get_by_label("Code").fill(code(secret, 0))
    visitor.press("Use this app")
    manage(environment, "staff", "add", STAFF, "--group", "support")
    visitor.go("/admin/")
    if "reauthenticate" in visitor.page.url:
        visitor.page.get_by_label("Code").fill(code(secret, 1))
        visitor.page.get_by_role("main").get_by_role("button").first.click()
    visitor.look()


def test_support_helps_a_customer(
    browser: Browser, site: str, site_environment: dict[str, str]
) -> None:
    Visitor(browser, site, 1280).sign_up(CUSTOMER)
    visitor = Visitor(browser, site, 1280)
    page = visitor.page
    become_staff(visitor, site_environment)

    page.get_by_role("searchbox", name="Search all").fill(CUSTOMER)
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin/search/**")
    page.get_by_role("main").get_by_role("link", name=re.compile("customer-of-staff")).first.click()
    page.wait_for_url("**/change/")
    visitor.says("Uploads are taken.")
    visitor.follow("Grant more room")
    page.get_by_label("More room, in GB").fill("10")
    page.get_by_label("Reason").fill("moving house")
    visitor.press("Go on")
    visitor.says("15\u00a0GB instead of 5\u00a0GB")
    assert violations(page) == []
    visitor.press("Grant more room")
    visitor.says("Granted 10\u00a0GB until")
    visitor.says("account.grant")
