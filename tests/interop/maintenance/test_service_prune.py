"""Forgetting and pruning at a real service, by the agent and by stock restic in turn."""

import os
from pathlib import Path

import pytest

from tests.interop.conftest import Agent, Restic, find_restic, portrait
from tests.interop.service.test_service import pytestmark, restored, without_sockets
from tests.support.gateway import Gateway, Holder

__all__ = ["pytestmark", "without_sockets"]


def changing_backups(agent: Agent, tree: Path) -> None:
    agent.init()
    for _ in range(3):
        agent.run("backup", str(tree))
        (tree / "large").write_bytes(os.urandom(6_000_000))
    agent.run("backup", str(tree))


def maintained(gateway: Gateway, holder: Holder, home: Path) -> Holder:
    return gateway.credential(holder, "maintain")


def test_with_maintain_the_agent_prunes_and_restic_finds_all_well(
    gateway: Gateway, agent: Agent, without_sockets: Path, home: Path, tmp_path: Path
) -> None:
    tree = without_sockets
    changing_backups(agent, tree)
    holder = maintained(gateway, agent.holder, home)
    keeper = Agent(holder, home / "keeper")
    options = ["--keep-last", "1", "--group-by", "", "--yes", "--prune", "--max-unused", "0"]
    done = keeper.run("forget", *options)
    assert "3 snapshots forgotten" in done.stdout
    restic = Restic(find_restic(), holder, home / "cache")
    assert "no errors were found" in restic.run("check", "--read-data").stdout
    assert len(restic.json("snapshots")) == 1
    agent.run("restore", "latest", "--target", str(tmp_path / "out"))
    assert portrait(restored(tmp_path / "out", tree)) == portrait(tree)
    agent.run("backup", str(tree))
    agent.run("check", "--read-data")


@pytest.mark.any_restic
def test_what_the_service_lost_is_off_its_list_after_backup_and_prune(
    gateway: Gateway, agent: Agent, without_sockets: Path, home: Path
) -> None:
    """Until then the vault is at risk, and staff is alarmed."""
    tree = without_sockets
    agent.init()
    agent.run("backup", str(tree))
    code = (
        "from storage.models import StoredObject; held = StoredObject.objects.filter("
        f"vault__public_id='{agent.holder.vault}', type='data'); {{}}"
    )
    lose = "one = held.order_by('-size')[0]; one.replicas.update(state='missing'); "
    gateway.shell(code.format(lose + "one.state = 'lost'; one.save()"))
    agent.run("backup", str(tree))
    keeper = Agent(maintained(gateway, agent.holder, home), home / "keeper")
    gateway.shell(code.format("assert held.filter(state='lost').count() == 1"))
    checked = keeper.run("check", check=False)
    assert checked.returncode == 1  # as stock restic: the index names what is not there
    assert (
        checked.stderr.count("is missing") == checked.stderr.count("nothing is lost by that") == 1
    )
    keeper.run("prune")
    gateway.shell(code.format("assert not held.filter(state='lost').exists()"))
    gateway.shell(code.format("assert held.filter(state='tombstoned').exists()"))
    keeper.run("check", "--read-data")


@pytest.mark.any_restic
def test_with_backup_alone_nothing_is_forgotten_or_pruned(agent: Agent, tree: Path) -> None:
    agent.init()
    agent.run("backup", str(tree))
    before = agent.holder.request("GET", "data/")[1]
    for verb in (["forget", "latest", "--yes"], ["prune"]):
        refused = agent.run(*verb, check=False)
        assert refused.returncode == 1
        assert "scope maintain" in refused.stderr
    assert agent.holder.request("GET", "data/")[1] == before
    agent.run("check")
