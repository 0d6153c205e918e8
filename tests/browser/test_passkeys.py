"""A passkey in a real Chromium with its own authenticator in software, under the strict policy."""

import time

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from playwright.sync_api import Browser

from tests.browser.test_browser import walk
from tests.support.browser.visitor import PASSWORD, Visitor

pytestmark = pytest.mark.browser


def with_authenticator(visitor: Visitor) -> None:
    """Give the page's browser an authenticator that agrees to everything."""
    session = visitor.context.new_cdp_session(visitor.page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def sign_in(visitor: Visitor, email: str) -> None:
    visitor.page.get_by_label("E-mail address").fill(email)
    visitor.page.get_by_label("Password").fill(PASSWORD)
    visitor.page.get_by_role("main").get_by_role("button", name="Sign in", exact=True).click()
    visitor.look()


def sign_out(visitor: Visitor) -> None:
    visitor.page.get_by_role("navigation").get_by_role("button", name="Sign out").click()
    visitor.look()


def add_passkey(visitor: Visitor) -> None:
    visitor.go("/accounts/2fa/")
    visitor.follow("Add a passkey")
    visitor.page.get_by_label("Password").fill(PASSWORD)
    visitor.press("Go on")
    visitor.page.get_by_label("Name").fill("phone")
    visitor.page.get_by_role("button", name="Add a passkey").click()
    visitor.page.wait_for_url("**/recovery-codes/")
    visitor.look()


def test_a_passkey_is_added_and_opens_the_door(browser: Browser, site: str) -> None:
    email = "passkey@example.org"
    walk(Visitor(browser, site, 1280), email)
    visitor = Visitor(browser, site.replace("127.0.0.1", "localhost"), 1280)
    with_authenticator(visitor)
    visitor.go("/accounts/login/")
    sign_in(visitor, email)
    add_passkey(visitor)
    sign_out(visitor)
    visitor.go("/accounts/login/")
    visitor.page.get_by_role("button", name="Sign in with a passkey").click()
    visitor.page.wait_for_url("**/dashboard/")
    visitor.look()
    # With the password, it is the second step.
    sign_out(visitor)
    visitor.go("/accounts/login/")
    sign_in(visitor, email)
    visitor.says("The second step")
    visitor.page.get_by_role("button", name="Use a passkey").click()
    visitor.page.wait_for_url("**/dashboard/")
    visitor.look()


def test_what_a_browser_refuses_is_said_in_the_readers_language(
    browser: Browser, site: str
) -> None:
    walk(Visitor(browser, site, 390), "twice@example.org")
    visitor = Visitor(browser, site.replace("127.0.0.1", "localhost"), 390)
    with_authenticator(visitor)
    visitor.go("/accounts/login/")
    sign_in(visitor, "twice@example.org")
    add_passkey(visitor)
    visitor.context.add_cookies([{"name": "django_language", "value": "de", "url": visitor.site}])
    visitor.go("/accounts/2fa/webauthn/add/")
    visitor.page.get_by_label("Name").fill("Telefon")
    visitor.page.get_by_role("button", name="Einen Passkey hinzufügen").click()
    visitor.page.get_by_role("alert").filter(has_text="Dieses Gerät hat schon").wait_for()
    visitor.look()


def test_the_picture_for_an_app_is_shown_and_its_code_works(browser: Browser, site: str) -> None:
    email = "app@example.org"
    visitor = Visitor(browser, site, 390)
    walk(visitor, email)
    visitor.go("/accounts/2fa/totp/activate/")
    visitor.page.get_by_label("Password").fill(PASSWORD)
    visitor.press("Go on")
    picture = visitor.page.locator("main img")
    assert picture.evaluate("image => image.complete && image.naturalWidth > 50")
    secret = visitor.page.locator("main code").inner_text()
    code = format_hotp_value(hotp_value(secret, int(time.time()) // 30))
    visitor.page.get_by_label("Code").fill(code)
    visitor.press("Use this app")
    visitor.says("Recovery codes")
