"""Stock restic and the agent read packs from the store itself, by redirect, and do without."""

import os
from pathlib import Path

import pytest

from tests.interop.conftest import Agent, Restic, contents
from tests.support.open_stores import front, gateway, seaweed, stored
from tests.support.stores.proxy import FaultyProxy

__all__ = ["front", "gateway", "seaweed", "stored"]
pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("stored")]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "source").mkdir()
    for number in range(3):
        (tmp_path / "source" / f"file-{number}").write_bytes(os.urandom(4_000_000))
    return tmp_path / "source"


def test_restic_restores_from_the_store(
    restic: Restic, stored: list[str], source: Path, tmp_path: Path
) -> None:
    restic.init()
    restic.run("backup", str(source))
    assert not [one for one in stored if one.startswith("PUT")]
    restic.run("restore", "latest", "--target", str(tmp_path / "out"))
    assert contents(tmp_path / "out") == contents(source)
    assert "GET data" in stored
    restic.run("check", "--read-data")


@pytest.mark.parametrize("fault", ["refuse-503", "refuse-403", "reset"])
def test_restic_does_without_the_store(
    restic: Restic, front: FaultyProxy, source: Path, tmp_path: Path, fault: str
) -> None:
    restic.init()
    restic.run("backup", str(source))
    front.does(fault, to="GET")
    restic.run("restore", "latest", "--target", str(tmp_path / "out"))
    assert front.fault.seen
    assert contents(tmp_path / "out") == contents(source)


@pytest.mark.any_restic
def test_the_agent_too(
    agent: Agent, restic: Restic, stored: list[str], source: Path, tmp_path: Path
) -> None:
    restic.init()
    restic.run("backup", str(source))
    agent.run("restore", "latest", "--target", str(tmp_path / "out"))
    assert contents(tmp_path / "out") == contents(source)
    assert "GET data" in stored
