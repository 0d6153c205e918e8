"""Walks through every page of a website as everybody who has a page of their own."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page

from backup_service.env import BASE_DIR
from tests.support.browser.visitor import Scheme, Visitor

PEOPLE = ("owner", "member", "auditor", "closing", "visitor", "staff")
STAFF_PAGES = "/admin/"
HEAVIEST = 150_000  # bytes of a page with all that belongs to it, as they are sent
MOST_OF_STAFF = 400_000  # Django's admin brings more
# All of the API is on one page, which is not compressed for people who are signed in.
HEAVIER = {"/docs/api/reference/": 250_000}
_MAIN = re.compile(r"<main.*</main>", re.DOTALL)
_FLEETING = re.compile(
    r'name="(?:csrfmiddlewaretoken|once)" value="[^"]*"|<time.*?</time>', re.DOTALL
)
# That a page is not there, as is asked for; advice for password managers about allauth's forms.
NO_FAULT = ("404 (Not Found)", "[DOM] Password forms should have")
# Words of everyday length that begin on one line and end on another.
BROKEN = """() => {
  const found = [], range = document.createRange();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = texts.nextNode());) {
    if (node.parentElement.closest("script, style, code, pre, .visually-hidden")) continue;
    for (const word of node.data.matchAll(/(?<=^|[\\s(“„])\\p{L}{2,13}(?=$|[\\s,.;:?!)”“])/gu)) {
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      const lines = [...range.getClientRects()].filter(one => one.width > 0);
      if (lines.some(one => one.top >= lines[0].bottom)) found.push(word[0]);
    }
  }
  return found;
}"""
WEIGHT = """() => performance.getEntries()
  .filter(one => ["navigation", "resource"].includes(one.entryType))
  .reduce((sum, one) => sum + one.encodedBodySize, 0)"""


@dataclass(frozen=True)
class Stop:
    """A page, and who looks at it."""

    who: str
    path: str

    @property
    def name(self) -> str:
        """A name for files about it."""
        return re.sub(r"[^\w]+", "-", f"{self.who}{self.path}").strip("-")[:120]


@dataclass(frozen=True)
class Filled:
    """What is in the website: cookies of people, the addresses, and the links of mails."""

    cookies: Mapping[str, str]
    addresses: list[str]
    links: list[str]
    cookie_name: str


def fill(environment: dict[str, str]) -> Filled:
    """Fill the database of a website's environment."""
    command = [sys.executable, "-m", "tests.support.browser.filled"]
    done = subprocess.run(
        command, cwd=BASE_DIR, env=environment, check=True, stdout=subprocess.PIPE
    )
    said: dict[str, Any] = json.loads(done.stdout.decode().splitlines()[-1])
    return Filled(said["cookies"], said["addresses"], said["links"], said["cookie_name"])


class Walk:
    """A walk by everybody in turn, in browsers of their own; only pages are stopped at."""

    def __init__(
        self, browser: Browser, site: str, filled: Filled, *, language: str = "en"
    ) -> None:
        self._browser, self._site, self._filled = browser, site, filled
        self._language = language
        self._seen: set[tuple[str, str]] = set()
        self.failures: list[str] = []

    def stops(self, who: str) -> Iterator[Stop]:
        """Yield the pages that somebody gets and nobody else in this walk got in the same words.

        What is answered with a status of 500 and more is a failure.
        """
        visitor = self.visitor(who, 1280, "light")
        try:
            for path in self._filled.addresses:
                if (who == "staff") == path.startswith(STAFF_PAGES) and self._is_new(visitor, path):
                    yield Stop(who, path)
            if who == "visitor":
                yield from (Stop(who, link) for link in self._filled.links)
        finally:
            visitor.context.close()

    def _is_new(self, visitor: Visitor, path: str) -> bool:
        answer = visitor.context.request.get(self._site + path, max_redirects=0)
        if answer.status >= 500:
            self.failures.append(f"{path}: {answer.status}")
        is_page = answer.status == 200 or path == "/nothing"
        if not is_page or "text/html" not in answer.headers.get("content-type", ""):
            return False
        if not answer.text().lstrip().startswith("<!DOCTYPE html>"):
            return False  # a part of a page, for scripts
        shown = _MAIN.search(answer.text())
        words = (path, _FLEETING.sub("", shown[0] if shown else answer.text()))
        is_new = words not in self._seen
        self._seen.add(words)
        return is_new

    def visitor(self, who: str, width: int, scheme: Scheme) -> Visitor:
        """Return somebody at a screen."""
        visitor = Visitor(self._browser, self._site, width, scheme=scheme, locale=self._language)
        if who in self._filled.cookies:
            host = urlsplit(self._site).hostname or ""
            name, value = self._filled.cookie_name, self._filled.cookies[who]
            visitor.context.add_cookies(
                [{"name": name, "value": value, "domain": host, "path": "/"}]
            )
        return visitor


def faults(visitor: Visitor, stop: Stop) -> list[str]:
    """Go to a page, and return what is wrong with it, axe aside."""
    page = visitor.page
    visitor.complaints.clear()  # what axe caused on the page before
    page.goto(visitor.site + stop.path)
    page.wait_for_load_state()
    found = [one for one in visitor.complaints if not any(part in one for part in NO_FAULT)]
    visitor.complaints.clear()
    found += _form(page, stop)
    return [f"{stop.who} {stop.path}: {one}" for one in found] + misfits(visitor, stop)


def misfits(visitor: Visitor, stop: Stop) -> list[str]:
    """Return whether the page that is shown sticks out to the side, and what words are broken."""
    wide = visitor.page.evaluate("document.documentElement.scrollWidth")
    found = [f"{wide} wide at {visitor.width}"] if wide > visitor.width else []
    found += [f"“{word}” is broken" for word in visitor.page.evaluate(BROKEN)]
    return [f"{stop.who} {stop.path}: {one}" for one in found]


def _form(page: Page, stop: Stop) -> list[str]:
    found = []
    heaviest = HEAVIER.get(stop.path, HEAVIEST)
    if stop.path.startswith(STAFF_PAGES):
        heaviest = MOST_OF_STAFF
    if (weight := page.evaluate(WEIGHT)) > heaviest:
        found.append(f"{weight} bytes")
    if (headings := page.locator("h1").count()) != 1:
        found.append(f"{headings} h1")
    if not page.title().strip() or page.title().startswith("–"):
        found.append("no title")
    return found
