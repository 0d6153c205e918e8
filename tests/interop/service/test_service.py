"""Stock restic and the agent at the same vault of a real service, in both directions."""

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.interop.conftest import Agent, Restic, portrait
from tests.support.gateway import Gateway, Holder

pytestmark = pytest.mark.interop


@pytest.fixture
def without_sockets(tree: Path) -> Path:
    """restic does not restore sockets; neither is expected to."""
    (tree / "socket").unlink()
    return tree


def restored(target: Path, tree: Path) -> Path:
    """Return where a restore put the tree: under its absolute path."""
    return target / tree.relative_to("/")


def test_restic_alone(restic: Restic, without_sockets: Path, tmp_path: Path) -> None:
    tree = without_sockets
    restic.run("init")
    restic.run("backup", str(tree))
    assert len(restic.json("snapshots")) == 1
    assert "hello.txt" in restic.run("ls", "latest").stdout
    restic.run("restore", "latest", "--target", str(tmp_path / "out"))
    assert portrait(restored(tmp_path / "out", tree)) == portrait(tree)
    restic.run("check", "--read-data")


def test_restic_forgets_and_prunes_with_maintain(
    gateway: Gateway, restic: Restic, tree: Path, tmp_path: Path
) -> None:
    restic.init()
    restic.run("backup", str(tree))
    (tree / "large").write_bytes(os.urandom(9_000_000))
    restic.run("backup", str(tree))
    assert len(restic.json("snapshots")) == 2
    keeper = Restic(
        restic.binary, gateway.credential(restic.holder, "maintain"), tmp_path / "keeper-cache"
    )
    keeper.run("forget", "--keep-last", "1", "--prune")
    assert len(keeper.json("snapshots")) == 1
    keeper.run("check", "--read-data")
    keeper.run("restore", "latest", "--target", str(tmp_path / "out"))
    (tree / "socket").unlink()
    assert portrait(restored(tmp_path / "out", tree)) == portrait(tree)


def test_the_agent_restores_what_restic_wrote(
    restic: Restic, agent: Agent, without_sockets: Path, tmp_path: Path
) -> None:
    tree = without_sockets
    restic.init()
    restic.run("backup", str(tree))
    agent.run("restore", "latest", "--target", str(tmp_path / "out"))
    assert portrait(restored(tmp_path / "out", tree)) == portrait(tree)
    agent.run("check", "--read-data")


def test_restic_restores_and_checks_what_the_agent_wrote(
    restic: Restic, agent: Agent, without_sockets: Path, tmp_path: Path
) -> None:
    tree = without_sockets
    agent.run("init")
    agent.run("backup", str(tree))
    restic.run("check", "--read-data")
    restic.run("restore", "latest", "--target", str(tmp_path / "out"))
    assert portrait(restored(tmp_path / "out", tree)) == portrait(tree)
    shutil.rmtree(tmp_path / "out")
    agent.run("restore", "latest", "--target", str(tmp_path / "out"))
    assert portrait(restored(tmp_path / "out", tree)) == portrait(tree)


def test_each_sees_the_others_snapshot_as_unchanged(
    restic: Restic, agent: Agent, tree: Path
) -> None:
    """By a relative path: the times of the folders above belong to everybody."""
    agent.init()
    agent.run("backup", tree.name, cwd=tree.parent)
    restic.run("backup", tree.name, cwd=tree.parent)
    agent.run("backup", tree.name, cwd=tree.parent)
    snapshots = restic.json("snapshots")
    assert len(snapshots) == 3
    assert len({snapshot["tree"] for snapshot in snapshots}) == 1
    seen = json.loads(agent.run("snapshots", "--json").stdout)
    assert len(seen["snapshots"] if isinstance(seen, dict) else seen) == 3


@pytest.mark.any_restic
def test_a_second_device_reads_with_a_restore_credential(
    gateway: Gateway, agent: Agent, without_sockets: Path, tmp_path: Path
) -> None:
    tree = without_sockets
    agent.init()
    agent.run("backup", str(tree))
    reader = Agent(gateway.credential(agent.holder, "restore"), tmp_path / "other")
    reader.run("restore", "latest", "--target", str(tmp_path / "out"))
    assert portrait(restored(tmp_path / "out", tree)) == portrait(tree)
    refused = reader.run("backup", str(tree), check=False)
    assert refused.returncode == 1
    assert "restore" in refused.stderr


@pytest.mark.any_restic
def test_wrong_secret_and_wrong_passphrase(agent: Agent, tree: Path) -> None:
    agent.init()
    wrong = agent.run("snapshots", check=False, NIGHTSAFE_SECRET="wrong")
    assert wrong.returncode == 1
    assert "Traceback" not in wrong.stderr
    wrong = agent.run("snapshots", check=False, NIGHTSAFE_PASSWORD="wrong")
    assert wrong.returncode == 1
    assert "passphrase" in wrong.stderr.lower()


@pytest.mark.any_restic
def test_over_quota_is_said_clearly(gateway: Gateway, tree: Path, tmp_path: Path) -> None:
    email = gateway.customer("small", room=9_000_000)
    holder: Holder = gateway.vault(email)
    agent = Agent(holder, tmp_path / "agent")
    agent.init()
    done = agent.run("--patience", "5", "backup", str(tree), check=False)
    assert done.returncode == 1
    assert "Over quota" in done.stderr
    assert holder.request("GET", "snapshots/")[1] == b"[]"
    assert gateway.manage("account", "usage", "--email", email)["reserved_bytes"] == 0


def test_the_service_learns_how_much_could_not_be_read(
    gateway: Gateway, agent: Agent, tree: Path
) -> None:
    agent.run("init")
    assert agent.run("backup", str(tree), str(tree / "gone"), check=False).returncode == 3
    gateway.shell(
        "from storage.models import Vault; "
        f"assert Vault.objects.get(public_id='{agent.holder.vault}').last_unread == 1"
    )
