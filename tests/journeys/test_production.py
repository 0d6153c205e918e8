"""Customers of a service in production: everything that they do goes through the shipped proxy."""

import http.client
import json
import re
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.interop.conftest import Agent, Restic, portrait, tree
from tests.support.gateway import Holder
from tests.support.journeys.production import Production
from tests.support.peers import restics
from tests.support.waiting import wait_until

__all__ = ["tree"]
pytestmark = [pytest.mark.journey, pytest.mark.rehearsal]


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    with Production(tmp_path_factory.mktemp("production")) as running:
        yield running


@pytest.fixture(scope="module")
def alice(production: Production) -> str:
    email = "alice@example.org"
    production.manage("account", "create", "--email", email, "--plan", "plus")
    return email


@pytest.fixture
def holder(production: Production, alice: str) -> Holder:
    made = production.manage("vault", "create", "--account", alice, "--name", uuid.uuid4().hex)
    assert made["url"].startswith(f"{production.url}/restic/")
    return Holder(production.port, made["vault"], made["username"], made["secret"])


@pytest.fixture
def top(tree: Path) -> Path:
    (tree / "socket").unlink()  # restic restores none
    return tree


def restored(target: Path, top: Path) -> dict[bytes, tuple[object, ...]]:
    return portrait(target / top.relative_to("/"))


def test_the_agent_and_stock_restic_work_through_the_proxy(
    production: Production, holder: Holder, top: Path, tmp_path: Path
) -> None:
    agent = Agent(holder, tmp_path / "home")
    agent.run("init")
    agent.run("backup", str(top))
    agent.run("restore", "latest", "--target", str(tmp_path / "by-agent"))
    assert restored(tmp_path / "by-agent", top) == portrait(top)
    for number, binary in enumerate(restics()):
        restic = Restic(binary, holder, tmp_path / f"cache-{number}")
        restic.run("backup", str(top))
        restic.run("restore", "latest", "--target", str(tmp_path / f"by-restic-{number}"))
        assert restored(tmp_path / f"by-restic-{number}", top) == portrait(top)
        restic.run("check", "--read-data")
    agent.run("check", "--read-data")


def test_the_agent_gets_the_control_api(
    production: Production, holder: Holder, top: Path, tmp_path: Path
) -> None:
    agent = Agent(holder, tmp_path / "home")
    agent.run("init")
    agent.run("backup", str(top))
    for what in ("begin", "finish"):
        line = f"POST /api/v1/vaults/{holder.vault}/{what} 200"
        # Written once the answer is out, so the agent may be ahead of it.
        wait_until(lambda: line in production.requests("gateway"), 10)  # noqa: B023
    assert not [line for line in production.requests("site") if "/api/" in line]
    assert not [line for line in production.requests("site") if "/restic/" in line]


def test_every_call_is_answered_and_copies_are_made(production: Production, holder: Holder) -> None:
    for what in ("begin", "finish", "uploads", "downloads"):
        assert holder.call(what, {}) is not None
    assert holder.call("report", {"failed": "local"}) == {}
    assert holder.request("POST", "config", b"c" * 100)[0] == 200

    def copied() -> bool:
        found = production.manage("region", "status")["regions"]
        return len({region["objects"] for region in found}) == 1 and not any(
            region["pending"] for region in found
        )

    wait_until(copied, 60, lambda: production.log("worker"))


def test_a_computer_is_connected_through_the_proxy(production: Production) -> None:
    """This part of the API is the site's, and what the code is typed at is a page of it."""
    status, answer = _asked(
        production, "POST", "/api/v1/device/code", json.dumps({"client_id": "test"})
    )
    assert status == 200
    page = json.loads(answer)["verification_uri"]
    assert page == f"{production.url}/connect/"


def test_operators_addresses_are_not_for_everybody(production: Production) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        assert _asked(production, "GET", path)[0] == 404


def test_the_mails_lead_back_to_the_proxy(production: Production) -> None:
    """Whatever the request said about the host."""
    email = f"dora-{uuid.uuid4().hex[:8]}@example.org"
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    with browser.open(f"{production.url}/accounts/signup/") as page:
        (token,) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page.read().decode())
    form = f"csrfmiddlewaretoken={token}&email={email}&password1=a+slot+in+the+wall"
    asked = urllib.request.Request(
        f"{production.url}/accounts/signup/", form.encode(), {"Referer": production.url}
    )
    with browser.open(asked) as answer:
        assert answer.url.endswith("/accounts/confirm-email/")
    mails = [file.read_text() for file in production.mails.glob("*.log")]
    (mail,) = [text for text in mails if email in text]
    links = re.findall(r"https?://\S+", mail)
    assert links
    assert all(link.startswith(f"{production.url}/") for link in links)


def _asked(production: Production, method: str, path: str, body: str = "") -> tuple[int, bytes]:
    where = urlsplit(production.url)
    with closing(http.client.HTTPConnection(where.netloc, timeout=10)) as connection:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        with connection.getresponse() as answer:
            return answer.status, answer.read()


def test_refusals_of_the_control_api_say_what_is_wrong(production: Production) -> None:
    status, said = _asked(production, "POST", "/api/v1/vaults/nowhere/begin", "{}")
    assert status == 401
    assert json.loads(said)["code"] == "unauthenticated"
