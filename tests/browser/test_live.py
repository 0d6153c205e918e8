"""A backup comes in through a real gateway, and pages that somebody looks at follow it."""

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Response, expect

from backup_service.env import BASE_DIR
from tests.support.browser.visitor import PASSWORD, Visitor
from tests.support.gateway import Gateway, Holder, start_gateway, start_site

pytestmark = pytest.mark.browser
SIGNED_UP = (
    "from accounts.models import User; from allauth.account.models import EmailAddress; "
    "u = User.objects.get(email='{email}'); u.set_password('{password}'); u.save(); "
    "EmailAddress.objects.update_or_create("
    "user=u, email=u.email, defaults=dict(primary=True, verified=True))"
)
LATER = 70_000  # milliseconds, after which a page has asked again
PACK = 3_000_000


@pytest.fixture(scope="module")
def running() -> Iterator[Gateway]:
    """A gateway with a website's files beside it."""
    with tempfile.TemporaryDirectory() as folder:
        gateway = start_gateway(Path(folder))
        try:
            command = [sys.executable, "manage.py", "collectstatic", "--noinput", "-v0"]
            subprocess.run(command, cwd=BASE_DIR, env=gateway.env, check=True)
            yield gateway
        finally:
            gateway.stop()


@pytest.fixture(scope="module")
def shared_site(running: Gateway) -> Iterator[str]:
    with start_site(running) as port:
        yield f"http://127.0.0.1:{port}"


def send(holder: Holder, kind: str, size: int) -> None:
    content = os.urandom(size)
    status, said = holder.request("POST", f"{kind}/{hashlib.sha256(content).hexdigest()}", content)
    assert status == 200, said


def look_at(visitor: Visitor, gateway: Gateway, email: str) -> None:
    gateway.shell(SIGNED_UP.format(email=email, password=PASSWORD))
    visitor.go("/accounts/login/")
    visitor.page.get_by_label("E-mail").fill(email)
    visitor.page.get_by_label("Password").fill(PASSWORD)
    visitor.page.keyboard.press("Enter")
    visitor.page.wait_for_url("**/dashboard/")


def test_pages_follow_a_backup_without_being_loaded_anew(
    browser: Browser, running: Gateway, shared_site: str
) -> None:
    email = running.customer("live")
    holder = running.vault(email)
    visitor = Visitor(browser, shared_site, 1280)
    page = visitor.page
    look_at(visitor, running, email)
    loads: list[Response] = []
    page.on("response", lambda answer: loads.append(answer))
    for path in ("/dashboard/", f"/vaults/{holder.vault}/"):
        page.clock.install()
        visitor.go(path)
        loads.clear()
        main, said = page.get_by_role("main"), page.locator("[data-part=said]")
        expect(main.locator("[data-running]")).to_have_count(0)
        page.clock.fast_forward(LATER)  # nothing has changed

        send(holder, "locks", 200)
        send(holder, "data", PACK)
        page.clock.fast_forward(LATER)
        expect(main).to_contain_text("is running, 3\u00a0MB received so far.")
        expect(said).to_contain_text("A backup of laptop is running.")

        send(holder, "data", PACK)
        page.clock.fast_forward(LATER)
        expect(main).to_contain_text("is running, 6\u00a0MB received so far.")

        holder.request("GET", "index/")
        send(holder, "snapshots", 300)
        page.clock.fast_forward(LATER)
        expect(main.locator("[data-running]")).to_have_count(0)
        expect(main.locator(".standing").first).to_have_text("copying")
        expect(said).not_to_contain_text("is running")

        # The browser may still fetch what is the page's own, such as its icon.
        parts = [one for one in loads if one.request.resource_type in ("document", "fetch")]
        assert {one.request.resource_type for one in parts} == {"fetch"}
        assert {one.status for one in parts} <= {200, 304}
    assert visitor.complaints == []


def test_a_tab_that_nobody_sees_asks_nothing(
    browser: Browser, running: Gateway, shared_site: str
) -> None:
    email = running.customer("hidden")
    running.vault(email)
    visitor = Visitor(browser, shared_site, 1280)
    page = visitor.page
    look_at(visitor, running, email)
    page.clock.install()
    visitor.go("/dashboard/")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    show = (
        "hidden => { "
        "Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});"
        " document.dispatchEvent(new Event('visibilitychange')); }"
    )
    page.evaluate(show, True)
    for _ in range(5):
        page.clock.fast_forward(LATER)
    assert asked == []
    page.evaluate(show, False)
    with page.expect_request("**/dashboard/live/"):
        page.clock.fast_forward(LATER)
