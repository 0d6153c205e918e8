"""Direct transfers, for tests: regions that are open to clients, and what clients ask."""

import json
from typing import Any

import pytest
from pytest_django import Settings

from storage.models import Attempt, Region, Usage, Vault
from storage.object_names import StoreKey
from storage.stores.base import PresignedRequest, RegionStore
from storage.stores.registry import store_of, sync_rows
from storage.vaults import quota
from tests.support.storage.buckets import INSTANCE
from tests.support.stores import regions as places
from tests.support.stores.client import send
from tests.unit.storage.conftest import Caller, sha


@pytest.fixture
def regions(db: None, settings: Settings, buckets: dict[str, str]) -> list[Region]:
    """Rows for the two."""
    places.apply(settings, buckets)
    sync_rows()
    Region.objects.update(instance=INSTANCE)
    return list(Region.objects.order_by("priority"))


def call(who: Caller, what: str, fields: object, vault: Vault | None = None) -> tuple[int, Any]:
    """Make a request of the control API; return status and answer."""
    response = who.client.post(
        f"/api/v1/vaults/{(vault or who.vault).public_id}/{what}",
        fields if isinstance(fields, bytes) else json.dumps(fields),
        content_type="application/json",
    )
    return response.status_code, response.json()


def entry(content: bytes, kind: str = "data") -> dict[str, object]:
    return {"type": kind, "name": sha(content), "size": len(content)}


def announce(who: Caller, *contents: bytes, kind: str = "data") -> list[dict[str, Any]]:
    status, answer = call(who, "uploads", {"objects": [entry(one, kind) for one in contents]})
    assert status == 200, answer
    return answer["objects"]


def request_of(offer: dict[str, Any]) -> PresignedRequest:
    assert offer["status"] == "put", offer
    return PresignedRequest(offer["method"], offer["url"], offer["headers"])


def put(offer: dict[str, Any], content: bytes) -> int:
    return send(request_of(offer), content)[0]


def commit(who: Caller, *ids: str) -> list[str]:
    status, answer = call(who, "uploads", {"commit": list(ids)})
    assert status == 200, answer
    return [one["status"] for one in answer["committed"]]


def booked(vault: Vault) -> tuple[int, int]:
    usage = Usage.objects.get(account=vault.account)
    recount = quota.recount(vault.account, mend=False)
    assert recount.agrees, recount
    return usage.live_bytes, usage.reserved_bytes


def key_of(offer: dict[str, Any]) -> tuple[RegionStore, StoreKey]:
    attempt = Attempt.objects.select_related("vault", "region").get(pk=offer["attempt"])
    return store_of(attempt.region), attempt.key


def read(who: Caller, *names: str, kind: str = "data") -> list[dict[str, Any]]:
    objects = [{"type": kind, "name": name} for name in names]
    status, answer = call(who, "downloads", {"objects": objects})
    assert status == 200, answer
    return answer["objects"]
