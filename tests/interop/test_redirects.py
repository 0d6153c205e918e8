"""Stock restic and the agent read packs from the store itself, by redirect, and do without."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contracts.conftest import seaweed
from tests.gateway import Gateway, start_gateway
from tests.interop.conftest import Agent, Restic
from tests.stores import regions
from tests.stores.proxy import Fault, FaultyProxy

__all__ = ["seaweed"]
pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def front(seaweed) -> Iterator[FaultyProxy]:
    """Where clients reach the store; what they ask for is in `seen`."""
    with FaultyProxy(seaweed.port) as made:
        yield made


@pytest.fixture(scope="module")
def gateway(seaweed, front: FaultyProxy, tmp_path_factory) -> Iterator[Gateway]:
    variables = regions.environment(seaweed, "a", "b", public=front.port)
    running = start_gateway(tmp_path_factory.mktemp("gateway"), **variables)
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def asked(front: FaultyProxy) -> list[str]:
    """Every request of clients to the store in this test."""
    seen: list[str] = []

    def judge(method: str, path: str) -> str:
        seen.append(f"{method} {path}")
        return ""

    front.fault = Fault(judge)
    return seen


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "source").mkdir()
    for number in range(3):
        (tmp_path / "source" / f"file-{number}").write_bytes(os.urandom(4_000_000))
    return tmp_path / "source"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("file-*")}


def test_restic_restores_from_the_store(restic: Restic, asked, source: Path, tmp_path: Path):
    restic.run("init")
    restic.run("backup", str(source))
    assert not [one for one in asked if one.startswith("PUT")]
    restic.run("restore", "latest", "--target", str(tmp_path / "out"))
    assert contents(tmp_path / "out") == contents(source)
    assert len([one for one in asked if one.startswith("GET") and "/data/" in one]) >= 1
    restic.run("check", "--read-data")


@pytest.mark.parametrize("fault", ["refuse-503", "refuse-403", "reset"])
def test_restic_does_without_the_store(
    restic: Restic, front: FaultyProxy, source: Path, tmp_path: Path, fault: str
):
    restic.run("init")
    restic.run("backup", str(source))
    front.does(fault, to="GET")
    restic.run("restore", "latest", "--target", str(tmp_path / "out"))
    assert front.fault.seen
    assert contents(tmp_path / "out") == contents(source)


def test_the_agent_too(agent: Agent, restic: Restic, asked, source: Path, tmp_path: Path):
    restic.run("init")
    restic.run("backup", str(source))
    agent.run("restore", "latest", "--target", str(tmp_path / "out"))
    assert contents(tmp_path / "out") == contents(source)
    assert [one for one in asked if one.startswith("GET") and "/data/" in one]
