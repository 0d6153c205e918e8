"""The operator's handbook, followed to the letter beside customers who back up."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.interop.conftest import Agent, tree
from tests.journeys.conftest import StartService
from tests.journeys.test_faults import enrol, home, same, settle, without_sockets
from tests.support.journeys.runbook import commands, follow
from tests.support.journeys.service import Service, burn
from tests.support.waiting import wait_until

__all__ = ["home", "tree"]
pytestmark = [pytest.mark.journey, pytest.mark.rehearsal]


def status(service: Service) -> dict[str, Any]:
    return service.ask("region", "status", "--json")


def is_whole(service: Service) -> bool:
    """Whether every object has the copies of its plan, two of them read back."""
    shown = status(service)
    return not (shown["fewer_than_two_verified"] or shown["waiting"])


def on_two_drives(
    own_service: StartService, drives: Path, top: Path, home: Path
) -> tuple[Service, Agent]:
    """A service with a region on each of two drives, and a backup with both its copies."""
    two = f"a={drives}/disk1/nightsafe,b={drives}/disk2/nightsafe"
    service = own_service(NIGHTSAFE_REGIONS=two).start()
    agent = enrol(service, home)
    agent.run("init")
    agent.run("backup", str(top))
    settle(service)
    return service, agent


def test_when_a_region_burns(
    own_service: StartService, tree: Path, home: Path, tmp_path: Path
) -> None:
    drives, top = tmp_path / "drives", without_sockets(tree)
    service, agent = on_two_drives(own_service, drives, top, home)
    burn(drives / "disk1")
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
    burn(drives / "disk2")
    agent.run("restore", "latest", "--target", str(tmp_path / "restored"))
    assert same(tmp_path / "restored", top)
    agent.run("check", "--read-data")


def region(service: Service, name: str) -> dict[str, Any]:
    return next(one for one in status(service)["regions"] if one["region"] == name)


def is_empty(service: Service) -> bool:
    """Whether the second region has been emptied; a quarter of an hour passes as it is asked."""
    service.ask("purge")  # the sweep, which comes by itself every five minutes
    return bool(region(service, "b")["empty"])


def test_adding_a_region_and_draining_another(
    own_service: StartService, tree: Path, home: Path, tmp_path: Path
) -> None:
    drives, top = tmp_path / "drives", without_sockets(tree)
    service, agent = on_two_drives(own_service, drives, top, home)

    seen = []
    for command, output in follow("Adding a region", service, drives):
        seen.append(command)
        if command == "manage.py region status":
            assert "region=c" in output
            assert "reachable=False" not in output
    assert seen == commands("Adding a region")
    # What the plan promises, three copies, can be given now.
    wait_until(lambda: is_whole(service), 60, lambda: str(status(service)))
    assert region(service, "c")["objects"] == region(service, "a")["objects"]

    seen = []
    for command, output in follow("Draining a region", service, drives):
        seen.append(command)
        if command.startswith("manage.py region drain"):
            (top / "during").write_bytes(os.urandom(1_000_000))
            agent.run("backup", str(top))
        if command.startswith("manage.py region status"):
            assert "empty: " in output
            wait_until(lambda: not region(service, "b")["objects"], 60)
            service.travel(16 * 60)
            wait_until(lambda: is_empty(service), 60, lambda: str(status(service)))
        agent.run("snapshots")
    assert seen == commands("Draining a region")
    kept = [file for file in (drives / "disk2").rglob("*") if file.is_file()]
    assert all("/data/" not in str(file) for file in kept), kept
    shown = status(service)
    assert [(one["region"], one["status"]) for one in shown["regions"]] == [
        ("a", "active"),
        ("c", "active"),
    ]
    burn(drives / "disk1")
    agent.run("restore", "latest", "--target", str(tmp_path / "restored"))
    assert same(tmp_path / "restored", top)
    agent.run("check", "--read-data")
