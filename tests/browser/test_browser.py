"""A real browser at a real process: sign up, read the mail, confirm, add a device, look."""

import re

import pytest
from playwright.sync_api import Browser, Locator, Response

from tests.support.browser.visitor import Visitor

pytestmark = pytest.mark.browser


def walk(visitor: Visitor, email: str) -> None:
    page = visitor.page
    visitor.go("/")
    visitor.follow("Start with 5 GB free")
    visitor.sign_up(email)
    visitor.says("Nothing is backed up yet")
    visitor.follow("Add it by hand, or for restic")
    page.get_by_label("Name of the computer").fill("A laptop with quite a long name, for the hall")
    visitor.press("Add it and show the secret")
    visitor.says("This page is shown once.")
    visitor.says("RESTIC_REST_PASSWORD=")
    visitor.follow("I have it, go to the vault")
    visitor.follow("Your backups")
    visitor.says("never")
    panels = [box for one in page.locator(".summary .panel").all() if (box := one.bounding_box())]
    assert len(panels) == 2
    if visitor.width > 800 and visitor.scripts:  # side by side
        assert panels[0]["y"] == panels[1]["y"]


@pytest.mark.parametrize("width", [1280, 375, 360])
def test_from_sign_up_to_the_dashboard(browser: Browser, site: str, width: int) -> None:
    walk(Visitor(browser, site, width), f"wide-{width}@example.org")


def test_everything_works_without_scripts(browser: Browser, site: str) -> None:
    walk(Visitor(browser, site, 1280, scripts=False), "plain@example.org")


def test_secrets_can_be_copied_with_one_press(browser: Browser, site: str) -> None:
    visitor = Visitor(browser, site, 1280)
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    walk(visitor, "copy@example.org")
    visitor.follow(re.compile("A laptop"))
    shown = visitor.page.locator("[data-copy] code").first.inner_text()
    visitor.page.get_by_role("button", name="Copy").first.click()
    visitor.page.get_by_role("button", name="Copied").wait_for()
    assert visitor.page.evaluate("navigator.clipboard.readText()") == shown


def test_the_keyboard_reaches_the_content_first(browser: Browser, site: str) -> None:
    visitor = Visitor(browser, site, 1280)
    visitor.go("/accounts/login/")
    visitor.page.keyboard.press("Tab")
    assert visitor.page.evaluate("document.activeElement.textContent") == "Skip to the content"
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert visitor.page.evaluate(outline) == "solid"


def menu(visitor: Visitor) -> Locator:
    return visitor.page.get_by_role("navigation", name="Main")


@pytest.mark.parametrize("scripts", [True, False])
def test_the_menu_opens_on_a_phone_by_keyboard(browser: Browser, site: str, scripts: bool) -> None:
    visitor = Visitor(browser, site, 390, scripts=scripts)
    visitor.go("/pricing/")
    keyboard = visitor.page.keyboard
    assert not menu(visitor).is_visible()
    for key in ("Tab", "Tab", "Tab", "Enter"):  # skip link, brand, menu
        keyboard.press(key)
    menu(visitor).get_by_role("link", name="Download").wait_for()
    keyboard.press("Escape")
    menu(visitor).wait_for(state="hidden")
    visitor.page.get_by_role("button", name="Menu").click()
    menu(visitor).get_by_role("link", name="Sign in").click()
    visitor.page.wait_for_url("**/accounts/login/")


def test_the_menu_lies_open_where_there_is_room(browser: Browser, site: str) -> None:
    visitor = Visitor(browser, site, 1280)
    visitor.go("/")
    assert not visitor.page.get_by_role("button", name="Menu").is_visible()
    menu(visitor).get_by_role("link", name="Pricing").click()
    visitor.page.wait_for_url("**/pricing/")


LIGHT = 150_000  # bytes of a page with all that belongs to it


def test_pages_are_light_and_their_parts_are_kept(browser: Browser, site: str) -> None:
    visitor = Visitor(browser, site, 1280)
    answers: list[Response] = []
    visitor.page.on("response", lambda answer: answers.append(answer))
    visitor.go("/")
    assert sum(len(answer.body()) for answer in answers) < LIGHT
    parts = {answer.url.rsplit("/")[-1]: answer for answer in answers if "/static/" in answer.url}
    assert {name.split(".")[0] for name in parts} >= {"site", "mark"}
    for name, answer in parts.items():
        assert re.fullmatch(r"\w+\.[0-9a-f]{12}\.\w+", name)
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers.get("content-encoding") == "gzip" or name.endswith("ico")
    assert answers[0].headers["content-encoding"] == "gzip"


def test_moments_are_told_in_the_visitor_s_zone(browser: Browser, site: str) -> None:
    visitor = Visitor(browser, site, 1280, zone="Asia/Kathmandu")
    visitor.go("/status/")
    told = visitor.page.locator("time[data-local=text]").first
    assert "GMT+5:45" in told.inner_text()
    without = Visitor(browser, site, 1280, zone="Asia/Kathmandu", scripts=False)
    without.go("/status/")
    assert "UTC" in without.page.inner_text("main")
