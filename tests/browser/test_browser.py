"""A real browser at a real process: sign up, read the mail, confirm, add a device, look."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, sync_playwright

from backup_service.embedded.configuration import Configuration
from backup_service.embedded.ports import any_port
from backup_service.embedded.processes import programs
from backup_service.env import BASE_DIR
from tests.support.programs import leave_out
from tests.support.waiting import wait_for_port

pytestmark = pytest.mark.browser

ROOT = BASE_DIR
CHROMIUM = shutil.which("chromium")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PASSWORD = "a slot in the wall"
MAIL_TOKEN = "whoever-runs-it"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The website as an embedded service runs it."""
    port = any_port()
    env = os.environ | {
        "DATA_DIR": str(tmp_path_factory.mktemp("site")),
        "PORT": str(port),
        "NIGHTSAFE_BROKER_URL": "redis://127.0.0.1:1/0",
        "NIGHTSAFE_LOG_LEVEL": "ERROR",
        "NIGHTSAFE_MAIL_TOKEN": MAIL_TOKEN,
    }
    for command in (["migrate", "-v0"], ["createcachetable"]):
        subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, env=env, check=True)
    made = Configuration(Path(env["DATA_DIR"]), port, 0, None, 0, "", {})
    process = subprocess.Popen(programs.site(made).argv, cwd=ROOT, env=env)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for_port(port, process)
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        leave_out("no chromium is here (Debian: apt install chromium)")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


class Visitor:
    """A person at a screen of some width, who notices every complaint of the browser."""

    def __init__(self, browser: Browser, site: str, width: int, *, scripts: bool = True) -> None:
        self.context = browser.new_context(
            viewport={"width": width, "height": 800}, java_script_enabled=scripts
        )
        self.page: Page = self.context.new_page()
        self.site, self.width, self.scripts = site, width, scripts
        self.complaints: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("requestfailed", self.note_failure)

    def note_failure(self, request: Request) -> None:
        """Take in what failed, but for what the browser gave up as the next page was asked for."""
        if request.failure != "net::ERR_ABORTED":
            self.complaints.append(f"{request.url}: {request.failure}")

    def go(self, path: str) -> None:
        self.page.goto(self.site + path)
        self.look()

    def press(self, name: str) -> None:
        self.page.get_by_role("main").get_by_role("button", name=name).click()
        self.look()

    def follow(self, name: str | re.Pattern[str]) -> None:
        self.page.get_by_role("main").get_by_role("link", name=name).first.click()
        self.look()

    def look(self) -> None:
        """Nothing sticks out to the side, and the browser has nothing to say."""
        self.page.wait_for_load_state()
        if self.scripts:
            wide = self.page.evaluate("document.documentElement.scrollWidth")
            assert wide <= self.width, f"{self.page.url} is {wide} wide"
        assert self.complaints == []

    def open_mails(self) -> None:
        """Go to the mails, with the token that they are opened with once."""
        self.page.get_by_role("main").get_by_role("link", name="read the mail here").click()
        self.page.get_by_label("Token").fill(MAIL_TOKEN)
        self.complaints.clear()  # that it was wanted
        self.press("Show the mails")

    def says(self, words: str) -> None:
        assert words in self.page.inner_text("main")


def walk(visitor: Visitor, email: str) -> None:
    page = visitor.page
    visitor.go("/")
    visitor.follow("Start with 5 GB free")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password for this website").fill(PASSWORD)
    visitor.press("Sign up")
    visitor.open_mails()
    visitor.says(email)
    visitor.follow(re.compile("confirm-email"))
    visitor.press("Yes, confirm")
    visitor.says("Nothing is backed up yet")
    visitor.follow("Add a device")
    page.get_by_label("Name of the device").fill("A laptop with quite a long name, for the hall")
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
