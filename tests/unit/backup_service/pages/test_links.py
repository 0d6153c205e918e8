"""Every link of every page leads somewhere, for a visitor and for Alice."""

import re
from collections import deque
from html import unescape
from html.parser import HTMLParser
from urllib.parse import urldefrag, urljoin

import pytest
from nightsafe.cli import build_parser

from backup_service.agent_packages.catalogue import Package
from storage.vaults.enrolment import Enrolled
from tests.support.pages import Client, read
from tests.unit.website.conftest import back_up

pytestmark = pytest.mark.django_db

MOST = 300  # pages; more means that a list of links has no end
NO_PAGE = {404, 405, 410, 500}


class Anchors(HTMLParser):
    """Collects what a link may point to within a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids |= {str(value) for name, value in attrs if name == "id"}


def crawl(client: Client, start: str) -> tuple[set[str], list[str]]:
    """Follow all links from a page; return the pages seen and what leads nowhere."""
    seen, broken = {start}, []
    waiting = deque([(start, start)])
    pointed: dict[str, set[str]] = {}
    while waiting:
        path, origin = waiting.popleft()
        response = client.get(path, HTTP_HOST="127.0.0.1:8000")
        if response.streaming:  # a file, which is closed at its end; to close it here ends more
            b"".join(response)
        if response.status_code in NO_PAGE:
            broken.append(f"{origin} links to {path}: {response.status_code}")
        if response.status_code != 200 or "text/html" not in response["Content-Type"]:
            continue
        ids = Anchors(response.content.decode()).ids
        broken += [f"{path} has no #{name}" for name in pointed.get(path, set()) - ids]
        for link in read(response).links:
            target, fragment = urldefrag(urljoin(path, link))
            if not target.startswith("/"):
                continue
            if fragment and not fragment.startswith("sha256="):
                pointed.setdefault(target, set()).add(fragment)
            if target not in seen and not target.startswith("/admin/"):
                seen.add(target)
                waiting.append((target, path))
        assert len(seen) < MOST
    return seen, broken


def test_a_visitor_s_links_lead_somewhere(client: Client, packages: list[Package]) -> None:
    seen, broken = crawl(client, "/")
    assert broken == []
    assert {"/docs/restic/", "/privacy/", "/download/simple/nightsafe/", "/pricing/"} <= seen


def test_the_links_of_alice_lead_somewhere(
    alice: Client, laptop: Enrolled, packages: list[Package]
) -> None:
    back_up(laptop)
    seen, broken = crawl(alice, "/dashboard/")
    assert broken == []
    vault = f"/vaults/{laptop.vault.public_id}/"
    assert {vault, f"{vault}rename/", "/devices/add/", "/activity/", "/docs/restic/"} <= seen


def test_before_the_first_backup_they_do_too(alice: Client, packages: list[Package]) -> None:
    assert crawl(alice, "/dashboard/")[1] == []


def test_what_is_to_be_typed_is_understood(client: Client, packages: list[Package]) -> None:
    """By the agent's own command line."""
    found = set()
    for page in crawl(client, "/")[0]:
        if page.startswith("/download/files/"):
            continue
        text = client.get(page).content.decode()
        for block in re.findall(r"<pre><code>(.*?)</code></pre>", text, re.DOTALL):
            found |= {
                line for line in unescape(block).splitlines() if re.search(r"\bnightsafe \w", line)
            }
    commands = {re.sub(r"^.*?\bnightsafe ", "", line) for line in found if "pipx" not in line}
    assert {"status", "service run --quiet", "snapshots"} <= commands
    for command in commands:
        build_parser().parse_args(command.split())
