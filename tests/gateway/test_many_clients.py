"""Many clients at once."""

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest

from tests.support.gateway import Gateway, Holder


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


T = TypeVar("T")


def at_once(count: int, call: Callable[[int], T]) -> list[T]:
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(call, range(count)))


def usage(gateway: Gateway, email: str) -> dict[str, Any]:
    return gateway.manage("account", "usage", "--email", email)


def test_fifty_identical_uploads_are_one_object_and_one_charge(
    gateway: Gateway, alice: str, holder: Holder
) -> None:
    content = os.urandom(1_000_000)
    path = f"data/{sha(content)}"
    results = at_once(50, lambda _: holder.request("POST", path, content)[0])
    assert results == [200] * 50
    assert holder.request("GET", path) == (200, content)
    figures = usage(gateway, alice)
    assert figures["live_bytes"] == 1_000_000
    assert figures["reserved_bytes"] == 0
    assert figures["objects"] == 1


def test_fifty_wrong_bodies_store_nothing(gateway: Gateway, alice: str, holder: Holder) -> None:
    results = at_once(50, lambda n: holder.request("POST", f"data/{n:064x}", b"x" * 100_000)[0])
    assert results == [400] * 50
    figures = usage(gateway, alice)
    assert (figures["live_bytes"], figures["reserved_bytes"], figures["objects"]) == (0, 0, 0)


def test_two_hundred_uploads_at_the_edge_do_not_overshoot(gateway: Gateway) -> None:
    """Room for 40 of 200 uploads of the same size: exactly 40 get in."""
    room = 40 * 50_000
    email = gateway.customer("edge", room=room)
    holder = gateway.vault(email)
    contents = [os.urandom(50_000) for _ in range(200)]
    with ThreadPoolExecutor(64) as pool:
        results = list(
            pool.map(
                lambda content: holder.request("POST", f"data/{sha(content)}", content)[0],
                contents,
            )
        )
    assert set(results) == {200, 507}
    figures = usage(gateway, email)
    assert figures["live_bytes"] <= room
    assert figures["reserved_bytes"] == 0
    assert results.count(200) * 50_000 == figures["live_bytes"]
    refused = [content for content, status in zip(contents, results, strict=True) if status == 507]
    late = [holder.request("POST", f"data/{sha(content)}", content)[0] for content in refused[:60]]
    assert late.count(200) + results.count(200) == 40


@pytest.mark.parametrize("clients", [50])
def test_memory_stays_flat_under_large_uploads(
    gateway: Gateway, alice: str, holder: Holder, clients: int
) -> None:
    """50 packs of 16 MiB at once: 800 MiB pass through, a small part of it stays."""
    base = os.urandom(16 * 1024 * 1024)

    def upload(number: int) -> int:
        content = number.to_bytes(8, "big") + base[8:]
        return holder.request("POST", f"data/{sha(content)}", content)[0]

    upload(10_000)
    before = gateway.memory()
    with ThreadPoolExecutor(clients) as pool:
        running = [pool.submit(upload, number) for number in range(clients)]
        most = before
        while not all(task.done() for task in running):
            most = max(most, gateway.memory())
    assert [task.result() for task in running] == [200] * clients
    print(f"gateway: {before / 2**20:.0f} MiB before, {most / 2**20:.0f} MiB at most")
    assert most - before < 100 * 2**20


def reading(holder: Holder, content: bytes) -> bool:
    return holder.request("GET", f"data/{sha(content)}") == (200, content)


def test_memory_stays_flat_under_large_downloads(gateway: Gateway, holder: Holder) -> None:
    content = os.urandom(16 * 1024 * 1024)
    assert holder.request("POST", f"data/{sha(content)}", content)[0] == 200
    before = gateway.memory()
    assert all(at_once(30, lambda _: reading(holder, content)))
    assert gateway.memory() - before < 100 * 2**20
