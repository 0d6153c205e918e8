"""Answers that get lost after the commit, and prunes behind a client's back."""

import dataclasses
import os
from pathlib import Path

import pytest
from nightsafe.archiver.backup import BackupOptions, backup
from nightsafe.backend.rest import RestBackend
from nightsafe.backend.rest_url import Credential
from nightsafe.progress import FilesDone, Issue
from nightsafe.repository.repository import Repository

from tests.interop.conftest import PASSPHRASE, Agent, Restic, portrait
from tests.support.gateway import Gateway, Holder
from tests.support.interop.proxy import LossyProxy

pytestmark = pytest.mark.interop


class FirstOfEach:
    """Picks the first POST of each type of object."""

    def __init__(self) -> None:
        self.seen: set[str] = set()

    def __call__(self, line: str) -> bool:
        method, path, _ = line.split(" ")
        kind = path.split("/")[3]
        if method != "POST" or kind in self.seen or kind.startswith("?"):
            return False
        self.seen.add(kind)
        return True


def behind(proxy: LossyProxy, holder: Holder) -> Holder:
    return dataclasses.replace(holder, port=proxy.port)


@pytest.fixture
def small_tree(tmp_path: Path) -> Path:
    top = tmp_path / "small"
    top.mkdir()
    for number in range(5):
        (top / f"file-{number}").write_bytes(os.urandom(300_000))
    return top


def test_restic_gets_over_lost_answers(
    gateway: Gateway, restic: Restic, small_tree: Path, home: Path, tmp_path: Path
) -> None:
    restic.run("init")  # which tries everything once only
    with LossyProxy(gateway.port, FirstOfEach()) as proxy:
        unlucky = Restic(restic.binary, behind(proxy, restic.holder), home / "unlucky")
        unlucky.run("backup", str(small_tree))
    assert len(proxy.lost) == 4  # lock, data, index, snapshot
    restic.run("check", "--read-data")
    restic.run("restore", "latest", "--target", str(tmp_path / "out"))
    assert portrait(tmp_path / "out" / small_tree.relative_to("/")) == portrait(small_tree)


@pytest.mark.any_restic
def test_the_agent_gets_over_lost_answers(
    gateway: Gateway, agent: Agent, small_tree: Path, home: Path, tmp_path: Path
) -> None:
    with LossyProxy(gateway.port, FirstOfEach()) as proxy:
        unlucky = Agent(behind(proxy, agent.holder), home / "unlucky")
        unlucky.run("init")
        unlucky.run("backup", str(small_tree))
    assert len(proxy.lost) >= 5
    agent.run("check", "--read-data")
    agent.run("restore", "latest", "--target", str(tmp_path / "out"))
    assert portrait(tmp_path / "out" / small_tree.relative_to("/")) == portrait(small_tree)


def test_the_agent_with_a_stale_index_sends_again_what_was_pruned(
    gateway: Gateway, restic: Restic, agent: Agent, small_tree: Path, home: Path, tmp_path: Path
) -> None:
    """Between its reading of the index and its snapshot another device prunes everything."""
    agent.init()
    agent.run("backup", str(small_tree))
    storage = RestBackend(agent.holder.url, Credential(agent.holder.username, agent.holder.secret))
    repository = Repository.open(storage, PASSPHRASE)
    pruned: list[str] = []
    told: list[str] = []

    def prune_once(event: object) -> None:
        if isinstance(event, Issue):
            told.append(event.text)
        if isinstance(event, FilesDone) and not pruned:
            keeper = Restic(restic.binary, gateway.credential(agent.holder, "maintain"), home / "k")
            keeper.run("unlock", "--remove-all")
            (snapshot,) = keeper.json("snapshots")
            pruned.append(snapshot["id"])
            keeper.run("forget", snapshot["id"], "--prune")
            assert agent.holder.request("GET", "data/")[1] == b"[]"

    # Another host name, so that no parent is found and every blob is looked up in the index.
    options = BackupOptions(hostname="elsewhere")
    report = backup(repository, [os.fsencode(small_tree)], options, prune_once)
    storage.close()
    assert report.is_complete
    assert any("pruned" in text for text in told)
    restic.run("check", "--read-data")
    (kept,) = restic.json("snapshots")
    assert (kept["id"], kept["hostname"]) == (report.snapshot_id, "elsewhere")
    restic.run("restore", "latest", "--target", str(tmp_path / "out"))
    assert portrait(tmp_path / "out" / small_tree.relative_to("/")) == portrait(small_tree)
