"""The agent at a vault of the service whose regions are open to clients: what it asks for."""

import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.interop.conftest import AGENT, PASSPHRASE, Agent, Restic, contents
from tests.support.gateway import Gateway, Holder
from tests.support.interop.proxy import LossyProxy
from tests.support.open_stores import front, gateway, seaweed, stored
from tests.support.stores.proxy import Fault, FaultyProxy

__all__ = ["front", "gateway", "seaweed", "stored"]
SETTLED = Path(__file__).with_name("settled")
pytestmark = pytest.mark.interop


class Asked:
    """Requests to the gateway, as a client makes them through a proxy."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.loses = ""

    def __call__(self, line: str) -> bool:
        self.lines.append(line)
        if self.loses and self.loses in line:
            self.loses = ""
            return True
        return False

    def take(self) -> list[str]:
        """What was asked since this was last called, without what names the vault."""
        taken, self.lines = self.lines, []
        return [f"{line.split()[0]} {short(line.split()[1])}" for line in taken]


def short(path: str) -> str:
    parts = path.split("/")
    return parts[-1] if parts[1] == "api" else "/".join(part[:8] for part in parts[3:])


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def counted(gateway: Gateway, holder: Holder, asked: Asked, home: Path) -> Iterator[Agent]:
    with LossyProxy(gateway.port, asked) as proxy:
        agent = Agent(replace(holder, port=proxy.port), home / "agent")
        agent.init()
        asked.take()
        yield agent


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "source").mkdir()
    for number in range(4):
        (tmp_path / "source" / f"file-{number}").write_bytes(os.urandom(15_000_000))
    return tmp_path / "source"


def back_up(agent: Agent, source: Path) -> None:
    """By a relative path: of an absolute one the folders above, which others change, are noted.

    What was just made does not count as young, so that it is not read again.
    """
    agent.run("backup", "source", cwd=source.parent, PYTHONPATH=str(SETTLED))


def require_restores(agent: Agent, source: Path, target: Path) -> None:
    agent.run("restore", "latest", "--target", str(target))
    assert contents(target) == contents(source)


@pytest.mark.any_restic
def test_few_requests(
    counted: Agent, asked: Asked, stored: list[str], source: Path, tmp_path: Path
) -> None:
    back_up(counted, source)
    first = asked.take()
    assert first == ["POST begin", "POST begin", "POST uploads", "POST finish"]
    sent = Counter(stored)
    assert sent["PUT data"] >= 4
    assert sent["PUT index"] >= 1
    assert set(sent) == {"PUT data", "PUT index"}
    stored.clear()

    back_up(counted, source)
    assert asked.take() == ["POST begin", "POST begin", "POST finish"]
    assert stored == []

    require_restores(counted, source, tmp_path / "out")
    reads = asked.take()
    assert reads.count("POST downloads") <= 3, reads
    assert len([one for one in reads if "data/" in one]) == 0, reads
    assert Counter(stored)["GET data"] >= 4
    stored.clear()
    counted.run("check", "--read-data")
    assert Counter(stored)["GET data"] >= 4


@pytest.mark.any_restic
def test_stock_restic_reads_what_was_sent_so(
    counted: Agent, restic: Restic, stored: list[str], source: Path, tmp_path: Path
) -> None:
    back_up(counted, source)
    restic.run("check", "--read-data")
    restic.run("restore", "latest", "--target", str(tmp_path / "out"))
    assert contents(tmp_path / "out") == contents(source)


@pytest.mark.any_restic
@pytest.mark.parametrize("fault", ["refuse-503", "reset", "lost"])
def test_packs_that_the_store_does_not_take_go_through_the_gateway(
    counted: Agent, asked: Asked, front: FaultyProxy, source: Path, tmp_path: Path, fault: str
) -> None:
    front.does(fault, to="PUT", times=1000 if fault != "lost" else 5)
    back_up(counted, source)
    assert front.fault.seen
    through = [one for one in asked.take() if one.startswith("POST data/")]
    assert bool(through) == (fault != "lost")  # a lost answer: the repeat hears 412
    front.does("", times=0)
    require_restores(counted, source, tmp_path / "out")
    counted.run("check", "--read-data")


@pytest.mark.any_restic
@pytest.mark.parametrize("what", ["uploads", "finish", "begin"])
def test_an_answer_that_is_lost(
    gateway: Gateway,
    alice: str,
    counted: Agent,
    asked: Asked,
    stored: list[str],
    source: Path,
    tmp_path: Path,
    what: str,
) -> None:
    asked.loses = what
    back_up(counted, source)
    assert asked.loses == ""
    assert [one for one in asked.take() if one == f"POST {what}"][1:]
    require_restores(counted, source, tmp_path / "out")
    figures = gateway.manage("account", "usage", "--email", alice)
    assert figures["reserved_bytes"] == 0
    assert len(counted.run("snapshots").stdout.strip().splitlines()) >= 1


@pytest.mark.any_restic
def test_downloads_without_the_store(
    counted: Agent, front: FaultyProxy, stored: list[str], source: Path, tmp_path: Path
) -> None:
    back_up(counted, source)
    front.does("refuse-503", to="GET")
    require_restores(counted, source, tmp_path / "out")
    assert front.fault.seen


@pytest.mark.any_restic
def test_what_a_killed_backup_left_is_sent_by_the_next(
    counted: Agent, gateway: Gateway, asked: Asked, front: FaultyProxy, source: Path, tmp_path: Path
) -> None:
    """Killed while the store hangs: packs lie in the outbox, and are sent once."""
    front.does("hang", to="PUT")
    environment = {
        **os.environ,
        "NIGHTSAFE_REPOSITORY": counted.holder.url,
        "NIGHTSAFE_USERNAME": counted.holder.username,
        "NIGHTSAFE_SECRET": counted.holder.secret,
        "NIGHTSAFE_PASSWORD": PASSPHRASE,
        "NIGHTSAFE_CONFIG_DIR": str(counted.home / "config"),
        "NIGHTSAFE_CACHE_DIR": str(counted.home / "cache"),
    }
    running = subprocess.Popen(
        [str(AGENT), "backup", str(source)], env=environment, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while not front.fault.seen and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    left = list((counted.home / "cache").rglob("*.data.*"))
    assert left
    sent: list[str] = []

    def listen(method: str, path: str) -> str:
        sent.append(f"{method} {path.split('/')[4]}")
        return ""

    front.fault = Fault(listen)
    back_up(counted, source)
    once = Counter(one for one in sent if one.startswith("PUT"))
    for path in left:
        assert once[f"PUT {path.name.split('.')[2]}"] == 1
    assert not list((counted.home / "cache").rglob("outbox-*"))
    require_restores(counted, source, tmp_path / "out")
    keeper = Agent(gateway.credential(counted.holder, "maintain"), counted.home / "keeper")
    keeper.run("unlock", "--all", check=False)
    counted.run("check", "--read-data")


@pytest.mark.any_restic
def test_over_quota_is_said(gateway: Gateway, home: Path, stored: list[str], source: Path) -> None:
    email = gateway.customer("small", room=10_000_000)
    agent = Agent(gateway.vault(email), home / "small")
    agent.run("init")
    done = agent.run("backup", "source", cwd=source.parent, check=False)
    assert done.returncode == 1
    assert "used up" in done.stderr
    figures = gateway.manage("account", "usage", "--email", email)
    # What was announced and given up is held until nothing of it can come any more.
    assert figures["charged_bytes"] <= 10_000_000
    assert figures["figures_agree"]


@pytest.mark.any_restic
def test_the_lock_is_put_and_taken_with_the_rest(
    counted: Agent, asked: Asked, source: Path
) -> None:
    back_up(counted, source)
    assert counted.holder.request("GET", "locks/") == (200, b"[]")


@pytest.mark.any_restic
def test_wanted_packs_are_stored_anew(
    gateway: Gateway, counted: Agent, asked: Asked, stored: list[str], source: Path
) -> None:
    back_up(counted, source)
    gateway.shell(
        "from storage.models import Replica, StoredObject, Vault; "
        "from storage.object_names import ObjectType; "
        f"vault = Vault.objects.get(public_id='{counted.holder.vault}'); "
        "held = StoredObject.objects.filter(vault=vault, type='data').order_by('-size').first(); "
        "Replica.objects.filter(object=held).update(state='missing'); "
        "StoredObject.objects.filter(pk=held.pk).update(state='lost'); "
        "Vault.bump_epoch(vault.pk)"
    )
    back_up(counted, source)
    assert "PUT data" in stored
    require_restores(counted, source, counted.home / "out")
    asked.take()
    back_up(counted, source)  # what is lost stays lost, and costs nothing again
    assert asked.take() == ["POST begin", "POST begin", "POST finish"]
