"""A thief with a stolen `maintain` credential empties a vault with stock restic; all comes back."""

import hashlib
import json
import os
import signal
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.interop.conftest import Agent, Restic, portrait
from tests.interop.service.test_service import pytestmark, restored, without_sockets
from tests.support.gateway import PYTHON, ROOT, Gateway

__all__ = ["pytestmark", "without_sockets"]

Portrait = dict[bytes, tuple[object, ...]]


class Victim:
    """Somebody with two backups of a folder, and what it looked like at each."""

    def __init__(self, restic: Restic, tree: Path) -> None:
        self.restic, self.tree = restic, tree
        restic.init()
        self.portraits: list[Portrait] = []
        for _ in range(2):
            (tree / "large").write_bytes(os.urandom(9_000_000))
            restic.run("backup", str(tree))
            self.portraits.append(portrait(tree))
        self.snapshots = [one["id"] for one in restic.json("snapshots")]
        self.vault = restic.holder.vault

    def require_whole(self, out: Path) -> None:
        """See that restic, with the cache that it had before, finds and restores everything."""
        assert [one["id"] for one in self.restic.json("snapshots")] == self.snapshots
        checked = self.restic.run("check", "--read-data")
        assert "no errors were found" in checked.stdout
        for number, (snapshot, before) in enumerate(
            zip(self.snapshots, self.portraits, strict=True)
        ):
            target = out / f"restored-{number}"
            self.restic.run("restore", snapshot, "--target", str(target))
            assert portrait(restored(target, self.tree)) == before


@pytest.fixture
def victim(restic: Restic, without_sockets: Path) -> Victim:
    return Victim(restic, without_sockets)


def empty(gateway: Gateway, victim: Victim, home: Path) -> Restic:
    """Steal a credential; forget and prune everything with it."""
    stolen = gateway.credential(victim.restic.holder, "maintain")
    thief = Restic(victim.restic.binary, stolen, home / "thief")
    for snapshot in victim.snapshots:
        thief.run("forget", snapshot, "--prune")
    assert thief.json("snapshots") in (None, [])
    assert stolen.request("GET", "data/")[1].strip() == b"[]"
    return thief


def now() -> str:
    return datetime.now(UTC).isoformat()


def test_to_the_moment_before_the_theft(
    gateway: Gateway, victim: Victim, agent: Agent, home: Path, tmp_path: Path
) -> None:
    before = now()
    empty(gateway, victim, home)
    done = gateway.manage("undelete", "--vault", victim.vault, "--to", before)
    assert (done["finished"], done["snapshots"], done["purged"]) == (True, 2, 0)
    victim.require_whole(tmp_path)
    agent.run("restore", "latest", "--target", str(tmp_path / "agent"))
    found = portrait(restored(tmp_path / "agent", victim.tree))
    assert found == victim.portraits[-1]
    agent.run("check", "--read-data")
    victim.restic.run("backup", str(victim.tree))  # and so it goes on
    victim.restic.run("check", "--read-data")


def test_what_the_stolen_credential_did(
    gateway: Gateway, victim: Victim, home: Path, tmp_path: Path
) -> None:
    before = now()
    thief = empty(gateway, victim, home)
    wanted = ["--to", before, "--by-credential", thief.holder.username]
    gateway.manage("undelete", "--vault", victim.vault, *wanted)
    victim.require_whole(tmp_path)


def test_one_snapshot_by_its_name(
    gateway: Gateway, victim: Victim, home: Path, tmp_path: Path
) -> None:
    """Of a vault from which they were removed one after the other, with a prune after each."""
    empty(gateway, victim, home)
    first = victim.snapshots[0]
    gateway.manage("undelete", "--vault", victim.vault, "--snapshot", first[:8])
    assert [one["id"] for one in victim.restic.json("snapshots")] == [first]
    victim.restic.run("check", "--read-data")
    victim.restic.run("restore", first, "--target", str(tmp_path / "out"))
    assert portrait(restored(tmp_path / "out", victim.tree)) == victim.portraits[0]


@pytest.mark.parametrize("batches", [0, 1, 4])
def test_a_worker_killed_within_a_batch(
    gateway: Gateway, victim: Victim, home: Path, tmp_path: Path, batches: int
) -> None:
    """What it had not committed is not there, and the next one goes on."""
    before = now()
    empty(gateway, victim, home)
    code = f"""
import os, signal
from datetime import datetime
from accounts.audit import SERVICE
from storage.models import Vault
from storage.rewind import requests, worker

worker.BATCH = 1
vault = Vault.objects.get(public_id="{victim.vault}")
wanted = requests.Wanted(moment=datetime.fromisoformat("{before}"))
row = requests.request(vault, wanted, actor=SERVICE)
revive, left = worker.revive, [None] * {batches}

def killed(*arguments):
    lost = revive(*arguments)
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    left.pop()
    return lost

worker.revive = killed
worker.run(row.pk)
"""
    command = [PYTHON, "manage.py", "shell", "-v0", "-c", code]
    killed = subprocess.run(command, cwd=ROOT, env=gateway.env, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    gateway.shell(f"""
from datetime import timedelta
from backup_service import clock
from storage.models import Undelete
from storage.rewind import worker
row = Undelete.objects.get(vault__public_id="{victim.vault}")
assert row.revived == {batches}, row.revived
assert worker.undelete_due() == 0, "it is leased still"
with clock.travelled(timedelta(minutes=3)):
    worker.undelete_due()
row.refresh_from_db()
assert row.is_over and row.revived == row.expected, row
""")
    victim.require_whole(tmp_path)


def test_a_purge_beside_it(gateway: Gateway, victim: Victim, home: Path) -> None:
    """What the purge took first is said, and all that came back is whole where it lies."""
    before = now()
    empty(gateway, victim, home)
    gateway.shell(f"""
from backup_service import clock
from storage.deletion import purge
from storage.models import StoredObject

gone = StoredObject.objects.removed().filter(vault__public_id="{victim.vault}")
for pk in list(gone.filter(type="data").order_by("pk").values_list("pk", flat=True)[:2]):
    purge.begin(pk, clock.now())
""")
    done = gateway.manage("undelete", "--vault", victim.vault, "--to", before)
    assert done["finished"]
    assert done["purged"] == 2
    assert "2 more are gone for good" in str(done["text"])
    # Not by `restic check`, which asks for what lacks again and again, for minutes.
    holder = victim.restic.holder
    status, told = holder.request("GET", "data/", Accept="application/vnd.x.restic.rest.v2")
    there = json.loads(told)
    assert there
    for pack in there:
        status, content = holder.request("GET", f"data/{pack['name']}")
        assert (status, len(content)) == (200, pack["size"])
        assert hashlib.sha256(content).hexdigest() == pack["name"]
