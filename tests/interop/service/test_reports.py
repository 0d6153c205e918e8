"""What a vault's owner sees of a backup that failed, at a real service."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.interop.conftest import AGENT, PASSPHRASE, Agent
from tests.support.gateway import Gateway
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.interop, pytest.mark.any_restic]


def test_an_interrupted_backup_and_the_next_one(
    gateway: Gateway, agent: Agent, tmp_path: Path
) -> None:
    agent.init()
    tree = tmp_path / "tree"
    tree.mkdir()
    for number in range(8):
        (tree / f"large-{number}").write_bytes(os.urandom(30_000_000))
    running = subprocess.Popen(
        [AGENT, "backup", str(tree)],
        env={
            **os.environ,
            "NIGHTSAFE_REPOSITORY": agent.holder.url,
            "NIGHTSAFE_USERNAME": agent.holder.username,
            "NIGHTSAFE_SECRET": agent.holder.secret,
            "NIGHTSAFE_PASSWORD": PASSPHRASE,
            "NIGHTSAFE_CONFIG_DIR": str(agent.home / "config"),
            "NIGHTSAFE_CACHE_DIR": str(agent.home / "cache"),
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(
            lambda: len(agent.holder.request("GET", "locks/")[1]) > 10, 60, lambda: "no lock"
        )
        running.send_signal(signal.SIGINT)
        assert running.wait(60) == 130
    finally:
        running.kill()
        running.wait()
    agent.run("backup", str(tree))
    gateway.shell(f"""
from storage.models import VaultEvent
events = VaultEvent.objects.filter(vault__public_id="{agent.holder.vault}").order_by("pk")
kinds = list(events.values_list("kind", "code"))
assert kinds == [("failed", "interrupted"), ("run", "")], kinds
run = events.get(kind="run")
assert run.bytes > 200_000_000 and run.seconds is not None and run.unread == 0, run
""")
