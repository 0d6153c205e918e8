"""The fence, with stock restic in several versions: whoever read the index before a prune saves no
snapshot, whatever else goes on with the same credential meanwhile."""

import hashlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.interop.conftest import PASSPHRASE, Restic, find_restic
from tests.support.gateway import Gateway
from tests.support.interop.proxy import LossyProxy
from tests.support.waiting import wait_until

pytestmark = pytest.mark.interop
CONTENT = os.urandom(300_000)
SAYS_WHY = 18  # the first minor version that ends at once when it is told 403


class Watcher(LossyProxy):
    """Forwards everything, and notes each request with the head of its answer."""

    def __init__(self, port: int) -> None:
        super().__init__(port, lambda line: False)
        self.answers: list[tuple[str, str]] = []

    def _after(self, line: str, answer: bytes) -> tuple[bytes, bool]:
        self.answers.append((line, answer.split(b"\r\n", 1)[0].decode("latin-1")))
        return answer, True

    def wait_for(self, method: str, kind: str) -> str:
        """Wait until such a request was answered; return its status line."""

        def statuses() -> list[str]:
            return [
                status
                for line, status in self.answers
                if line.startswith(f"{method} ") and f"/{kind}/" in line
            ]

        wait_until(statuses, 20, lambda: f"no {method} of {kind}: {self.answers}")
        return statuses()[0]


class Slow:
    """A backup of standard input that has read the index and waits for its bytes."""

    def __init__(self, restic: Restic, proxy: Watcher) -> None:
        self.proxy = proxy
        self.process = subprocess.Popen(
            [restic.binary, "--no-cache", "backup", "--stdin"],
            env={
                **os.environ,
                "RESTIC_REPOSITORY": replace(restic.holder, port=proxy.port).restic,
                "RESTIC_PASSWORD": PASSPHRASE,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        proxy.wait_for("GET", "index")

    def feed(self, content: bytes) -> str:
        """Give it its bytes; return the status line that its snapshot is answered with."""
        assert self.process.stdin is not None
        self.process.stdin.write(content)
        self.process.stdin.close()
        return self.proxy.wait_for("POST", "snapshots")

    def end(self) -> str:
        """Wait for its end; return what it said."""
        assert self.process.stdout is not None
        said = self.process.stdout.read().decode()
        self.process.wait(60)
        return said

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


@contextmanager
def slow(restic: Restic) -> Iterator[Slow]:
    with Watcher(restic.holder.port) as proxy:
        run = Slow(restic, proxy)
        try:
            yield run
        finally:
            run.kill()


def minor(binary: str) -> int:
    said = subprocess.run([binary, "version"], capture_output=True, text=True, check=True).stdout
    return int(said.split()[1].split(".")[1])


@pytest.fixture
def keeper(gateway: Gateway, alice: str, home: Path) -> Restic:
    """Stock restic with a credential that may do everything, at a vault with one backup."""
    made = Restic(find_restic(), gateway.vault(alice, scope="maintain"), home / "keeper")
    made.init()
    backup(made)
    return made


def backup(restic: Restic, content: bytes = CONTENT) -> None:
    subprocess.run(
        [restic.binary, "-r", restic.holder.restic, "--no-cache", "backup", "--stdin"],
        input=content,
        env={**os.environ, "RESTIC_PASSWORD": PASSPHRASE},
        capture_output=True,
        check=True,
    )


def prune_all(restic: Restic) -> None:
    """Remove every lock, snapshot and pack, as somebody does who believes that nobody works."""
    restic.run("unlock", "--remove-all")
    for snapshot in restic.json("snapshots"):
        restic.run("forget", snapshot["id"], "--prune")


def refused(run: Slow, restic: Restic) -> None:
    """See that its snapshot is refused, once where restic heeds that, with the cause in sight."""
    status = run.feed(CONTENT)
    assert " 403 " in status, status
    assert "run the backup again" in status
    assert restic.holder.request("GET", "snapshots/")[1] in (b"[]", b"[]\n")
    if minor(restic.binary) >= SAYS_WHY:
        said = run.end()
        assert run.process.returncode not in (0, None)
        assert "run the backup again" in said


def read_in_every_way(restic: Restic) -> None:
    """Whatever reads the index with a credential, with and without locks, while a backup waits."""
    for command in (["ls", "latest"], ["ls", "--no-lock", "latest"]):
        restic.run(*command, check=False)  # there is no snapshot left, which is an error
    for command in (["list", "index"], ["stats"], ["check"]):
        restic.run(*command)
    restic.holder.request("HEAD", "index/")
    restic.holder.request("GET", "index/")


def test_a_stale_backup_whose_own_credential_pruned(keeper: Restic) -> None:
    with slow(keeper) as run:
        prune_all(keeper)
        refused(run, keeper)


def test_a_stale_backup_whose_credential_is_used_meanwhile(keeper: Restic) -> None:
    with slow(keeper) as run:
        prune_all(keeper)
        read_in_every_way(keeper)
        refused(run, keeper)
    if minor(keeper.binary) >= SAYS_WHY:  # it has ended by itself, and nothing else is stale
        backup(keeper)
        keeper.run("check", "--read-data")


def test_a_stale_backup_whose_vault_somebody_else_pruned(
    gateway: Gateway, keeper: Restic, home: Path
) -> None:
    other = Restic(keeper.binary, gateway.credential(keeper.holder, "backup"), home / "other")
    with slow(other) as run:
        prune_all(keeper)
        read_in_every_way(other)
        refused(run, other)


def test_a_stale_backup_beside_a_fresh_one_of_the_same_credential(keeper: Restic) -> None:
    with slow(keeper) as stale:
        prune_all(keeper)
        with slow(keeper) as fresh:
            refused(stale, keeper)
            fresh.proxy.wait_for("GET", "index")


def test_backups_beside_each_other_with_one_credential(keeper: Restic) -> None:
    """Nothing is pruned between their readings and their snapshots, so all of them are saved."""
    prune_all(keeper)
    with slow(keeper) as one, slow(keeper) as two:
        keeper.run("stats")
        backup(keeper)
        assert " 200 " in one.feed(os.urandom(100_000))
        assert " 200 " in two.feed(os.urandom(100_000))
        one.end()
        two.end()
    assert len(keeper.json("snapshots")) == 3
    keeper.run("check", "--read-data")


def test_after_a_prune_everybody_goes_on(gateway: Gateway, keeper: Restic, home: Path) -> None:
    """What works without a fence works with it: the same commands one after the other."""
    other = Restic(keeper.binary, gateway.credential(keeper.holder, "backup"), home / "other")
    for _ in range(2):
        keeper.run("snapshots")
        prune_all(keeper)
        backup(other)
        backup(keeper, os.urandom(50_000))
        keeper.run("tag", "--add", "seen")
        other.run("backup", "--no-lock", "/etc/hostname")
    keeper.run("check", "--read-data")
    assert len(keeper.json("snapshots")) == 3


def test_a_snapshot_whose_answer_was_lost_is_answered_with_200(
    gateway: Gateway, keeper: Restic, home: Path
) -> None:
    """Somebody prunes between the snapshot's commit and its repeat."""
    other = gateway.credential(keeper.holder, "backup")
    (snapshot,) = keeper.json("snapshots")
    body = other.request("GET", f"snapshots/{snapshot['id']}")[1]
    pack = os.urandom(1000)
    name = f"data/{hashlib.sha256(pack).hexdigest()}"
    assert keeper.holder.request("POST", name, pack)[0] == 200
    assert keeper.holder.request("DELETE", name)[0] == 200
    assert other.request("POST", f"snapshots/{'0' * 64}", body)[0] == 403
    assert other.request("POST", f"snapshots/{snapshot['id']}", body)[0] == 200
