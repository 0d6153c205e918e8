"""The operator's handbook, followed to the letter beside customers who back up."""

import os
import shutil
from pathlib import Path

import pytest

from tests.interop.conftest import tree
from tests.journeys.conftest import StartService
from tests.journeys.runbook import commands, follow
from tests.journeys.service import Service, wait_until
from tests.journeys.test_faults import enrol, home, same, settle, without_sockets

__all__ = ["home", "tree"]
pytestmark = pytest.mark.journey


def status(service: Service) -> dict:
    return service.manage("region", "status", "--json")


def is_whole(service: Service) -> bool:
    """Whether every object has the copies of its plan, two of them read back."""
    shown = status(service)
    return not (shown["fewer_than_two_verified"] or shown["waiting"])


def test_when_a_region_burns(own_service: StartService, tree: Path, home: Path, tmp_path: Path):
    drives = tmp_path / "drives"
    top = without_sockets(tree)
    two = f"a={drives}/disk1/nightsafe,b={drives}/disk2/nightsafe"
    service = own_service(NIGHTSAFE_REGIONS=two).start()
    agent = enrol(service, home)
    agent.run("init")
    agent.run("backup", str(top))
    settle(service)
    shutil.rmtree(drives / "disk1")
    (top / "during").write_bytes(os.urandom(1_000_000))
    agent.run("backup", str(top))

    seen = []
    for command, output in follow("When a region burns", service, drives):
        seen.append(command)
        if command == "manage.py region status" and len(seen) == 1:
            assert "region=a" in output
            assert "reachable=False" in output
        if "--lost" in command:
            assert "lost: 0" in output
        if command == "manage.py region status" and len(seen) > 1:
            wait_until(lambda: is_whole(service), 60, lambda: str(status(service)))
        if command == "manage.py reconcile":
            assert "unknown: []" in output
            assert "missing: 0" in output
        agent.run("snapshots")
    assert seen == commands("When a region burns")
    shown = status(service)
    assert [(one["region"], one["status"]) for one in shown["regions"]] == [
        ("b", "active"),
        ("c", "active"),
    ]
    assert (shown["lost"], shown["fewer_than_two_verified"]) == (0, 0)
    # The other one may burn as well now.
    shutil.rmtree(drives / "disk2")
    agent.run("restore", "latest", "--target", str(tmp_path / "restored"))
    assert same(tmp_path / "restored", top)
    agent.run("check", "--read-data")
