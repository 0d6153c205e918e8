"""A person in front of a real browser, at a website that a test has started."""

import re
from typing import Literal

from playwright.sync_api import Browser, Page, Request

Scheme = Literal["light", "dark"]
PASSWORD = "a slot in the wall"
MAIL_TOKEN = "whoever-runs-it"
# Colours fade into one another, and halfway they have little contrast. What lies folded up never
# ends to fade.
SETTLED = """() => Promise.all(
  document.getAnimations()
    .filter(one => one.effect.target.checkVisibility())
    .map(one => one.finished)
).then(() => null)"""


class Visitor:
    """A person at a screen of some width, who notices every complaint of the browser."""

    def __init__(
        self,
        browser: Browser,
        site: str,
        width: int,
        *,
        scripts: bool = True,
        scheme: Scheme = "light",
        zone: str = "UTC",
        mail_token: str = MAIL_TOKEN,
        locale: str = "en",
    ) -> None:
        self.context = browser.new_context(
            viewport={"width": width, "height": 800},
            java_script_enabled=scripts,
            color_scheme=scheme,
            timezone_id=zone,
            locale=locale,
        )
        self.page: Page = self.context.new_page()
        self.site, self.width, self.scripts = site, width, scripts
        self.mail_token = mail_token
        self.complaints: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("requestfailed", self.note_failure)

    def note_failure(self, request: Request) -> None:
        """Take in what failed, but for what the browser gave up as the next page was asked for."""
        if request.failure != "net::ERR_ABORTED":
            self.complaints.append(f"{request.url}: {request.failure}")

    def turn(self, width: int, scheme: Scheme) -> None:
        """Look at the same page on another screen, in other colours."""
        self.width = width
        self.page.set_viewport_size({"width": width, "height": 800})
        self.page.emulate_media(color_scheme=scheme)
        self.page.evaluate(SETTLED)

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
        assert self.complaints == [], self.complaints

    def open_mails(self) -> None:
        """Go to the mails, with the token that they are opened with once."""
        self.page.get_by_role("main").get_by_role("link", name="read the mail here").click()
        self.page.get_by_label("Token").fill(self.mail_token)
        for _ in range(100):  # the browser tells a moment later that it was wanted
            if self.complaints:
                break
            self.page.wait_for_timeout(20)
        self.complaints.clear()
        self.press("Show the mails")

    def says(self, words: str) -> None:
        assert words in self.page.inner_text("main")

    def sign_up(self, email: str) -> None:
        """Sign up, and open the link in the mail."""
        self.go("/accounts/signup/")
        self.page.get_by_label("E-mail address").fill(email)
        self.page.get_by_label("Password for this website").fill(PASSWORD)
        self.press("Sign up")
        self.open_mails()
        self.says(email)
        self.follow(re.compile("confirm-email"))
        self.press("Yes, confirm")
