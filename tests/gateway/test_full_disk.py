"""Regions on disks that are really full: a clear answer, nothing half, and on by itself later."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.stores.filesystem.staging import FOLDER as STAGING
from storage.stores.filesystem.store import HEADROOM
from tests.gateway.test_bodies import answer, connect, sha
from tests.support.disks import resize, small_disk
from tests.support.gateway import Gateway, Holder, start_gateway

SIZE = 1_500_000
ROOM = 6 << 20  # bytes that may be used, of each disk


@pytest.fixture
def disks(tmp_path: Path) -> Iterator[list[Path]]:
    """Two small file systems."""
    with contextlib.ExitStack() as stack:
        places = [tmp_path / name for name in ("disk1", "disk2")]
        yield [stack.enter_context(small_disk(place, HEADROOM + ROOM)) for place in places]


@pytest.fixture
def small(disks: list[Path], tmp_path: Path) -> Iterator[Gateway]:
    first, second = (disk / "region" for disk in disks)
    (tmp_path / "data").mkdir()
    running = start_gateway(tmp_path / "data", NIGHTSAFE_REGIONS=f"a={first},b={second}")
    yield running
    running.stop()


def upload(holder: Holder, content: bytes) -> tuple[int, bytes]:
    return holder.request("POST", f"data/{sha(content)}", content)


def leftovers(disks: list[Path]) -> list[Path]:
    return [file for disk in disks for file in (disk / "region" / STAGING).iterdir()]


def fill(disk: Path) -> Path:
    """Leave no byte free."""
    ballast = disk / "ballast"
    for size in (1 << 20, 1 << 12):
        with contextlib.suppress(OSError), ballast.open("ab", buffering=0) as file:
            while True:
                file.write(bytes(size))
    return ballast


def test_what_is_full_takes_nothing_and_all_else_goes_on(small: Gateway, disks: list[Path]) -> None:
    email = small.customer("alice")
    holder = small.vault(email)
    stored: dict[str, bytes] = {}
    while True:
        content = os.urandom(SIZE)
        status, said = upload(holder, content)
        if status != 200:
            break
        stored[sha(content)] = content
    assert (status, b"No region can take an upload" in said) == (503, True)
    assert len(stored) >= 6  # there was room for so many, on either disk
    assert all((disk / "region" / holder.vault).exists() for disk in disks)
    assert leftovers(disks) == []
    for name, one in stored.items():
        assert holder.request("GET", f"data/{name}") == (200, one)
    figures = small.manage("account", "usage", "--email", email)
    assert figures["reserved_bytes"] == 0
    assert figures["live_bytes"] == SIZE * figures["objects"] == SIZE * len(stored)

    for disk in disks:
        resize(disk, HEADROOM + 4 * ROOM)
    assert upload(holder, content)[0] == 200
    assert holder.request("GET", f"data/{sha(content)}") == (200, content)


def test_a_disk_that_runs_full_under_an_upload(small: Gateway, disks: list[Path]) -> None:
    holder = small.vault(small.customer("bob"))
    content = os.urandom(SIZE)
    with connect(small) as client:
        client.sendall(holder.head_lines(f"data/{sha(content)}", SIZE) + content[: SIZE // 2])
        deadline = time.monotonic() + 20
        while not leftovers(disks):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        ballast = [fill(disk) for disk in disks]
        client.sendall(content[SIZE // 2 :])
        said = answer(client)
    assert b" 503 " in said
    assert b"ran full during the upload; send it again" in said
    assert leftovers(disks) == []
    assert holder.request("GET", "data/") == (200, b"[]")
    for file in ballast:
        file.unlink()
    assert upload(holder, content)[0] == 200
    assert holder.request("GET", f"data/{sha(content)}") == (200, content)
