"""Every answer of the site carries the headers that protect, on every route, to everybody."""

import re
from collections.abc import Callable, Iterator

import pytest
from django.http.response import HttpResponseBase
from pytest_django import Settings

from accounts.models import Device
from storage.vaults.enrolment import Enrolled
from tests.support.pages import Client
from tests.unit.website.test_routes import EXPECTED, all_routes
from tests.unit.website.test_routes import address as address

pytestmark = pytest.mark.django_db

# Answers that are no pages and that browsers may keep: they are the same for everybody.
KEPT = re.compile(r"download/files/")


WANTED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
IN_POLICY = ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'")
NOT_IN_POLICY = ("unsafe-inline", "unsafe-eval", "*", "http:")


def complaints(response: HttpResponseBase) -> Iterator[str]:
    """Yield what is wrong with an answer's headers."""
    said = response.headers
    yield from (name for name, value in WANTED.items() if said.get(name) != value)
    if "max-age" not in said.get("Strict-Transport-Security", ""):
        yield "no HSTS"
    policy = said.get("Content-Security-Policy", "")
    yield from (f"the policy lacks {part}" for part in IN_POLICY if part not in policy)
    yield from (f"the policy has {word}" for word in NOT_IN_POLICY if word in policy)
    yield from (name for name in ("Server", "X-Powered-By") if name in said)
    for cookie in response.cookies.values():
        if not cookie["samesite"]:
            yield f"the cookie {cookie.key} goes along from anywhere"
        if cookie.key == "sessionid" and not cookie["httponly"]:
            yield "scripts read the session"


def filled(route: str, enrolled: Enrolled) -> str:
    """Return an address of a staff page, or of the API."""
    path = "/" + re.sub(r"<path:object_id>|<int:\w+>|\(\?P<url>.*\)", "1", route)
    path = path.replace("(?P<app_label>auth|accounts)", "accounts")
    path = path.replace("<str:vault_id>", enrolled.vault.public_id)
    path = path.replace("<str:device_id>", Device.objects.get().public_id)
    return re.sub(r"<[^>]*>|\(\?P<[^)]*\)", "1", path)


@pytest.mark.parametrize("method", ["get", "post"])
def test_every_route(
    alice: Client,
    sam: Client,
    client: Client,
    laptop: Enrolled,
    address: Callable[[str], str],
    settings: Settings,
    method: str,
) -> None:
    settings.SECURE_HSTS_SECONDS = 365 * 24 * 3600  # as with an address that is https
    secure = {"secure": True, "HTTP_HOST": "127.0.0.1:8000"}
    wrong: dict[str, list[str]] = {}
    routes = all_routes()
    for route in routes:
        path = address(route) if route in EXPECTED else filled(route, laptop)
        if "logout" in route and method == "post":
            continue
        for who in (client, sam if route.startswith("admin/") else alice):
            response = getattr(who, method)(path, **secure)
            if found := sorted(set(complaints(response))):
                wrong[f"{response.status_code} {route}"] = found
    assert wrong == {}
    assert len(routes) > 150


def test_what_is_somebodys_is_kept_nowhere(alice: Client, address: Callable[[str], str]) -> None:
    """A page behind the door is not in a cache that others use, nor shown by "back" later."""
    kept = []
    for route, expected in EXPECTED.items():
        if expected.anonymous == 200 or KEPT.search(route) or expected.alice != 200:
            continue
        response = alice.get(address(route), HTTP_HOST="127.0.0.1:8000")
        if not re.search("no-store|no-cache|private", response.headers.get("Cache-Control", "")):
            kept.append(route)
    assert kept == []


def test_a_page_that_nobody_has(client: Client) -> None:
    assert list(complaints(client.get("/nowhere/", secure=True))) == ["no HSTS"]
