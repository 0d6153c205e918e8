"""Every address of the gateway, and who is turned away from it."""

import pytest
from django.test import Client
from django.urls import get_resolver

from accounts.audit import SERVICE
from storage.models import StoredObject, Vault
from storage.vaults import credentials
from tests.unit.storage.conftest import Caller, caller, sealed, sha, some

pytestmark = pytest.mark.django_db

OPEN = {"healthz", "readyz"}
OBJECT = "restic/<str:vault>/<str:kind>/<str:name>"
LIST = "restic/<str:vault>/<str:kind>/"
CONFIG = "restic/<str:vault>/config"
VAULT = "restic/<str:vault>/"
CONTROL = {
    f"api/v1/vaults/<str:vault>/{name}"
    for name in ("begin", "finish", "uploads", "downloads", "report")
}
GUARDED = {OBJECT, LIST, CONFIG, VAULT} | CONTROL


def test_every_route_is_listed_here() -> None:
    found = {
        str(entry.pattern) for entry in get_resolver("backup_service.gateway_urls").url_patterns
    }
    assert found == OPEN | GUARDED


def requests(content: bytes) -> list[tuple[str, str]]:
    """Every method of every guarded route, as (method, path below the vault)."""
    existing = f"data/{sha(content)}"
    return [
        ("POST", "?create=true"),
        ("DELETE", ""),
        ("HEAD", "config"),
        ("GET", "config"),
        ("POST", "config"),
        ("DELETE", "config"),
        *[("GET", f"{kind}/") for kind in ("data", "keys", "locks", "snapshots", "index")],
        *[
            (method, f"{kind}/{'a' * 64}")
            for kind in ("data", "keys", "locks", "snapshots", "index")
            for method in ("HEAD", "GET", "POST", "DELETE")
        ],
        ("GET", existing),
        ("DELETE", existing),
    ]


@pytest.fixture
def content(backup: Caller) -> bytes:
    made = some()
    backup.put(made)
    return made


def statuses(client: Client, vault: str, content: bytes) -> set[int]:
    return {
        client.generic(method, f"/restic/{vault}/{path}", b"").status_code
        for method, path in requests(content)
    } | {
        client.generic(method, "/" + route.replace("<str:vault>", vault), body).status_code
        for route in CONTROL
        for method in ("GET", "POST", "PUT", "DELETE")
        for body in (b"", b"{}")
    }


def test_anonymous(backup: Caller, content: bytes) -> None:
    assert statuses(Client(), backup.vault.public_id, content) == {401}


def test_another_tenant(backup: Caller, bob: Caller, content: bytes) -> None:
    assert statuses(bob.client, backup.vault.public_id, content) == {404}


def test_revoked(backup: Caller, maintain: Caller, content: bytes) -> None:
    credentials.revoke(maintain.credential, actor=SERVICE)
    assert statuses(maintain.client, maintain.vault.public_id, content) == {401}


@pytest.mark.parametrize(
    ("scope", "method", "path"),
    [
        (scope, method, path)
        for scope, refused in {
            "restore": ["POST data", "POST snapshots", "POST index", "POST keys", "POST config"],
            "backup": ["POST keys", "POST config", "POST create"],
            "maintain": ["POST keys", "POST config", "DELETE keys", "DELETE config"],
        }.items()
        for method, path in map(str.split, refused)
    ]
    + [
        (scope, "DELETE", kind)
        for scope in ("restore", "backup")
        for kind in ("data", "snapshots", "index", "keys", "config", "vault")
    ],
)
def test_wrong_scope(vault: Vault, content: bytes, scope: str, method: str, path: str) -> None:
    """In a vault that is set up: a new one may be set up by whoever may write."""
    caller(vault, "backup", with_setup=True).post("config", sealed(b"sealed"))
    vault.refresh_from_db()
    who = caller(vault, scope)
    where = {"config": "config", "create": "?create=true", "vault": ""}.get(
        path, f"{path}/{sha(content) if path == 'data' else 'a' * 64}"
    )
    body = content if path == "data" else b""
    response = who.client.generic(method, who.url(where), body, CONTENT_LENGTH=str(len(body)))
    assert response.status_code == 403
    assert len(response.content) > 20
    assert set(StoredObject.objects.values_list("type", "state")) == {
        ("data", "live"),
        ("config", "live"),
    }


def test_health_tells_nothing_about_customers() -> None:
    answer = Client().get("/healthz").json()
    assert set(answer) == {"ok", "database", "broker"}
    answer = Client().get("/readyz").json()
    assert set(answer) == {"ok", "database", "broker", "worker"}
