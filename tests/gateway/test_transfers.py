"""Direct transfers through a real gateway, many clients at once."""

import hashlib
import http.client
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest

from backup_service.embedded.stores import Store
from tests.support.gateway import Gateway, Holder
from tests.support.open_stores import open_gateway, seaweed

__all__ = ["seaweed"]
MANY = 80


@pytest.fixture(scope="module")
def gateway(seaweed: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway whose two regions are buckets that clients may send to."""
    with open_gateway(seaweed, tmp_path_factory.mktemp("gateway")) as running:
        yield running


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def put(offer: dict[str, Any], content: bytes) -> int:
    where = urlsplit(offer["url"])
    connection = http.client.HTTPConnection(where.netloc, timeout=60)
    try:
        connection.request("PUT", f"{where.path}?{where.query}", content, offer["headers"])
        with connection.getresponse() as answer:
            answer.read()
            return answer.status
    except OSError:
        return 0  # the store need not read on when it refuses
    finally:
        connection.close()


def entry(content: bytes) -> dict[str, Any]:
    return {"type": "data", "name": sha(content), "size": len(content)}


def transfer(holder: Holder, content: bytes) -> str:
    """Announce, put and commit one object; return what became of it."""
    answer = holder.call("uploads", {"objects": [entry(content)]})
    offer = answer["objects"][0]
    if offer["status"] != "put":
        return offer.get("code") or offer["status"]
    assert put(offer, content) in (200, 412, 0)
    answer = holder.call("uploads", {"commit": [offer["attempt"]]})
    return answer["committed"][0]["status"]


def usage(gateway: Gateway, email: str) -> dict[str, Any]:
    return gateway.manage("account", "usage", "--email", email)


def test_fifty_identical_transfers_are_one_object_and_one_charge(
    gateway: Gateway, alice: str, holder: Holder
) -> None:
    content = os.urandom(60_000)
    others = [gateway.credential(holder, "backup") for _ in range(3)]
    with ThreadPoolExecutor(50) as pool:
        found = list(pool.map(lambda n: transfer([holder, *others][n % 4], content), range(50)))
    assert set(found) <= {"stored", "there"}
    assert found.count("stored") >= 1
    assert holder.request("GET", f"data/{sha(content)}") == (200, content)
    figures = usage(gateway, alice)
    assert (figures["live_bytes"], figures["objects"]) == (60_000, 1)
    # What was put once too often is held until it is swept: its address is still valid.
    assert figures["reserved_bytes"] in range(0, 50 * 60_000, 60_000)
    assert figures["figures_agree"]


def test_many_at_the_edge_direct_and_not(gateway: Gateway) -> None:
    """Room for a fifth of the uploads of the same size, half of them direct: no more get in."""
    fit = MANY // 5
    email = gateway.customer("edge", room=fit * 50_000)
    holder = gateway.vault(email)
    contents = [os.urandom(50_000) for _ in range(MANY)]

    def send(number: int) -> str:
        content = contents[number]
        if number % 2:
            return transfer(holder, content)
        status = holder.request("POST", f"data/{sha(content)}", content)[0]
        return {200: "stored", 507: "over-quota"}.get(status, str(status))

    with ThreadPoolExecutor(40) as pool:
        found = list(pool.map(send, range(MANY)))
    assert set(found) == {"stored", "over-quota"}
    figures = usage(gateway, email)
    assert figures["live_bytes"] <= fit * 50_000
    assert figures["reserved_bytes"] == 0
    assert found.count("stored") * 50_000 == figures["live_bytes"]
    missing = fit - found.count("stored")
    refused = [number for number, one in enumerate(found) if one == "over-quota"]
    late = [send(number) for number in refused[: missing + 10]]
    assert found.count("stored") + late.count("stored") == fit
