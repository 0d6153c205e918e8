"""A customer's backup while things break: regions destroyed, the broker emptied, workers killed."""

import os
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis

from backup_service.embedded.processes.supervisor import QUICK_DEATHS
from tests.interop.conftest import Agent, portrait, tree
from tests.journeys.conftest import StartService
from tests.support.gateway import Holder
from tests.support.journeys.service import Service, burn
from tests.support.waiting import wait_until

__all__ = ["tree"]
pytestmark = pytest.mark.journey


def enrol(service: Service, home: Path) -> Agent:
    email = f"alice-{uuid.uuid4().hex[:8]}@example.org"
    service.manage("account", "create", "--email", email, "--plan", "plus")
    made = service.manage("vault", "create", "--account", email, "--name", "laptop", "--json")
    port = urlsplit(service.gateway_url).port
    assert port is not None
    return Agent(Holder(port, made["vault"], made["username"], made["secret"]), home)


def regions(service: Service) -> dict[str, dict[str, Any]]:
    status = service.ask("region", "status", "--json")
    return {region["region"]: region for region in status["regions"]}


def is_complete(service: Service) -> bool:
    """Whether both regions hold the same, and nothing waits."""
    status = regions(service).values()
    return len({region["objects"] for region in status}) == 1 and not any(
        region["pending"] or region["corrupt"] for region in status
    )


def settle(service: Service, seconds: float = 60) -> None:
    wait_until(lambda: is_complete(service), seconds, lambda: str(regions(service)))


def without_sockets(top: Path) -> Path:
    (top / "socket").unlink(missing_ok=True)
    return top


def same(target: Path, top: Path) -> bool:
    return portrait(target / top.relative_to("/")) == portrait(top)


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("agent-home")


def test_a_region_burns_and_is_filled_again(
    own_service: StartService, tree: Path, home: Path, tmp_path: Path
) -> None:
    top = without_sockets(tree)
    service = own_service().start()
    agent = enrol(service, home)
    agent.run("init")
    agent.run("backup", str(top))
    settle(service)
    first, second = (service.data_dir / "regions" / name for name in "ab")
    held = regions(service)["a"]["objects"]

    burn(first)
    agent.run("restore", "latest", "--target", str(tmp_path / "from-the-other"))
    assert same(tmp_path / "from-the-other", top)
    (top / "new").write_bytes(os.urandom(2_000_000))
    agent.run("backup", str(top))

    assert '"regions_away": ["a"]' in service.manage("repair", "--json", check=False)
    assert service.manage("repair", "--begin-anew", "a", "--json")["regions_begun_anew"] == ["a"]
    settle(service)
    assert regions(service)["a"]["objects"] > held

    burn(second)
    agent.run("restore", "latest", "--target", str(tmp_path / "from-the-first"))
    assert same(tmp_path / "from-the-first", top)
    agent.run("check", "--read-data")


def test_without_a_broker_uploads_succeed_and_copies_follow(
    own_service: StartService, tree: Path, home: Path
) -> None:
    service = own_service().start()
    agent = enrol(service, home)
    agent.init()
    for _ in range(QUICK_DEATHS - 2):  # with more of them it is tried once a minute
        wait_until(lambda: service.pid_of("valkey") is not None, 60)
        service.kill("valkey")
    (top := without_sockets(tree)).joinpath("more").write_bytes(os.urandom(2_000_000))
    agent.run("backup", str(top))  # while the broker is coming back
    wait_until(lambda: service.pid_of("valkey") is not None, 60)
    frozen = service.kill("valkey", signal.SIGSTOP)
    try:
        top.joinpath("still more").write_bytes(os.urandom(2_000_000))
        agent.run("backup", str(top))  # while it takes connections, and is silent
    finally:
        os.kill(frozen, signal.SIGCONT)
    settle(service)
    agent.run("check", "--read-data")


@pytest.fixture
def flushed(service: Service) -> Iterator[list[int]]:
    """Empty the service's broker again and again, and count how often."""
    from backup_service.embedded.datadir import read_settings

    url = read_settings(service.data_dir)["NIGHTSAFE_BROKER_URL"]
    stop, count = threading.Event(), [0]

    def flush() -> None:
        with redis.Redis.from_url(url) as broker:
            while not stop.is_set():
                broker.flushall()
                count[0] += 1
                time.sleep(0.01)

    thread = threading.Thread(target=flush)
    thread.start()
    yield count
    stop.set()
    thread.join()


def test_a_broker_emptied_at_any_moment_loses_no_work(
    service: Service, flushed: list[int], tree: Path, home: Path
) -> None:
    agent = enrol(service, home)
    agent.init()
    for number in range(5):
        (tree / f"more-{number}").write_bytes(os.urandom(200_000))
        agent.run("backup", str(tree))
    assert flushed[0] > 50
    settle(service)


def test_killed_workers_lose_no_work(own_service: StartService, tree: Path, home: Path) -> None:
    service = own_service().start()
    agent = enrol(service, home)
    agent.init()
    killed = 0
    for number in range(4):
        (tree / f"more-{number}").write_bytes(os.urandom(5_000_000))
        agent.run("backup", str(tree))
        if service.pid_of("worker") is not None:
            service.kill("worker")
            killed += 1
    assert killed >= 2
    # A killed worker's leases have to run out first.
    service.travel(11 * 60)
    settle(service)
    agent.run("check", "--read-data")
    assert service.manage("reconcile", "--json")["unknown"] == []


def test_a_gateway_killed_in_the_middle(own_service: StartService, tree: Path, home: Path) -> None:
    service = own_service().start()
    agent = enrol(service, home)
    agent.init()
    (tree / "huge").write_bytes(os.urandom(150_000_000))
    done: list[int] = []
    backup = threading.Thread(
        target=lambda: done.append(agent.run("backup", str(tree), check=False).returncode)
    )
    backup.start()
    kills = 0
    while backup.is_alive() and kills < 3:
        time.sleep(1.0)
        if backup.is_alive() and service.pid_of("gateway") is not None:
            service.kill("gateway")
            kills += 1
    backup.join()
    assert kills >= 1
    assert done == [0]
    settle(service)
    agent.run("check", "--read-data")
    usage = service.manage("reconcile", "--json")
    assert usage["unknown"] == []
