"""Stock restic and the agent back up while a region is destroyed, the broker emptied, workers
killed, all at once. Both restore bit for bit, up to the recovery point, from what is left.
"""

import json
import os
import random
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis

from backup_service.embedded.datadir import read_settings
from backup_service.embedded.processes.supervisor import LONGEST_DELAY, QUICK
from tests.interop.conftest import Agent, Restic, find_restic, portrait
from tests.journeys.conftest import StartService
from tests.journeys.test_faults import settle
from tests.support.gateway import Holder
from tests.support.journeys.service import Service, burn
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.journey, pytest.mark.rehearsal]
RETRIES = 2  # of a backup that was hit


@dataclass
class Customer:
    """A computer with a client, a folder that changes, and what its snapshots must bring back."""

    client: Agent | Restic
    top: Path
    saved: dict[str, Path] = field(default_factory=dict)
    tries: int = 0

    @property
    def vault(self) -> str:
        return self.client.holder.vault

    def change(self) -> None:
        """New files, another one altered, another one gone."""
        number = len(self.saved)
        (self.top / f"new-{number}").write_bytes(os.urandom(700_000))
        (self.top / "altered").write_bytes(os.urandom(300_000))
        (self.top / f"new-{number - 2}").unlink(missing_ok=True)

    def back_up(self, *options: str) -> None:
        """Change something, back up, and keep what the snapshot must hold."""
        self.change()
        for _ in range(1 + RETRIES):
            self.tries += 1
            done = self.client.run("backup", "--json", *options, str(self.top), check=False)
            if done.returncode == 0:
                break
        else:
            raise AssertionError(f"no backup after a retry: {done.stdout}{done.stderr}")
        last = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")][-1]
        kept = self.top.with_name(f"{self.top.name}-{len(self.saved)}")
        shutil.copytree(self.top, kept, symlinks=True)
        self.saved[last["snapshot_id"]] = kept

    def require_restored(self, snapshot: str, target: Path) -> None:
        """Restore a snapshot and compare every byte, mode and time."""
        self.client.run("restore", snapshot, "--target", str(target))
        found = target / self.top.relative_to("/")
        assert portrait(found) == portrait(self.saved[snapshot]), snapshot


def customers(service: Service, folder: Path) -> Iterator[Customer]:
    email = "alice@example.org"
    service.manage("account", "create", "--email", email, "--plan", "personal")
    port = urlsplit(service.gateway_url).port
    assert port is not None
    for name in ("agent", "restic"):
        made = service.manage("vault", "create", "--account", email, "--name", name, "--json")
        holder = Holder(port, made["vault"], made["username"], made["secret"])
        home, top = folder / f"home-{name}", folder / f"tree-{name}"
        client = (
            Agent(holder, home)
            if name == "agent"
            else Restic(find_restic(), holder, home / "cache")
        )
        (top / "deep" / "er").mkdir(parents=True)
        (top / "deep" / "er" / "file").write_bytes(os.urandom(6_000_000))
        (top / "link").symlink_to("deep/er")
        client.init()
        yield Customer(client, top)


@contextmanager
def chaos(service: Service, chance: random.Random) -> Iterator[dict[str, int]]:
    """Empty the broker all the time, and kill the worker again and again."""
    stop, count = threading.Event(), {"flushed": 0, "killed": 0}
    url = read_settings(service.data_dir)["NIGHTSAFE_BROKER_URL"]

    def flush() -> None:
        with redis.Redis.from_url(url) as broker:
            while not stop.wait(0.02):
                broker.flushall()
                count["flushed"] += 1

    def kill() -> None:
        # The launcher ends a service whose worker dies too often in a row within its first seconds.
        while True:
            for quickly in (True, True, True, False):
                if stop.wait(chance.uniform(0.2, 2.0) if quickly else QUICK + LONGEST_DELAY):
                    return
                if service.pid_of("worker") is not None:
                    service.kill("worker")
                    count["killed"] += 1

    threads = [threading.Thread(target=flush), threading.Thread(target=kill)]
    for thread in threads:
        thread.start()
    try:
        yield count
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@contextmanager
def at_work(everybody: list[Customer], turn: Callable[[Customer], None]) -> Iterator[None]:
    """Everybody takes `turn` after turn, at the same time, until the end of the `with` block."""
    stop = threading.Event()
    failures: list[BaseException] = []

    def go_on(one: Customer) -> None:
        try:
            while not stop.wait(1.5):
                turn(one)
        except BaseException as error:  # shown by the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=go_on, args=[one]) for one in everybody]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures, failures


def recovery_sequence(service: Service, one: Customer) -> int:
    return service.ask("vault", "status", "--vault", one.vault, "--json")["recovery_sequence"]


def snapshots(service: Service, one: Customer) -> dict[str, int]:
    """Return the vault's snapshots, by the short names that restic tells, with their numbers."""
    code = (
        "import json; from storage.models import StoredObject; print(json.dumps(dict("
        f"StoredObject.objects.filter(vault__public_id='{one.vault}', type='snapshots')"
        ".values_list('name', 'sequence'))))"
    )
    found: dict[str, int] = json.loads(service.ask("shell", "-v0", "-c", code))
    return {name[:8]: number for name, number in found.items()}


def covered(service: Service, one: Customer, safe: int | None = None) -> list[str]:
    """Return the snapshots that the recovery point covers, that of now or an earlier one."""
    if safe is None:
        safe = recovery_sequence(service, one)
    sequences, saved = snapshots(service, one), list(one.saved)
    return [name for name in saved if sequences.get(name[:8], safe + 1) <= safe]


def thin(service: Service) -> list[str]:
    """Return what is live and has not two copies."""
    code = (
        "import json; from django.db.models import Count, Q; "
        "from storage.models import StoredObject; "
        "stored = Count('replicas', filter=Q(replicas__state='stored')); "
        "print(json.dumps(list(StoredObject.objects.filter(state='live').annotate(n=stored)"
        ".filter(n__lt=2).values_list('name', flat=True))))"
    )
    found: list[str] = json.loads(service.ask("shell", "-v0", "-c", code))
    return found


def rebuild_index(service: Service, client: Restic) -> None:
    """What stock restic needs before it sends again what was lost."""
    made = service.manage(
        "credential", "create", "--vault", client.holder.vault, "--scope", "maintain", "--json"
    )
    holder = replace(client.holder, username=made["username"], secret=made["secret"])
    replace(client, holder=holder).run("rebuild-index")


def test_a_region_the_broker_and_the_workers(
    own_service: StartService, tmp_path: Path, chance: random.Random
) -> None:
    drives = tmp_path / "drives"
    service = own_service(NIGHTSAFE_REGIONS=f"a={drives}/1,b={drives}/2").start()
    everybody = list(customers(service, tmp_path))
    for one in everybody:
        one.back_up()
    settle(service)

    with chaos(service, chance) as count, at_work(everybody, Customer.back_up):
        wait_until(lambda: all(len(one.saved) >= 4 for one in everybody), 120)
        service.travel(11 * 60)  # leases of killed workers run out
        wait_until(lambda: count["killed"] >= 3, 60)
        safe: dict[str, int] = {}
        for one in everybody:  # copies follow while workers are killed, some time
            wait_until(lambda: len(covered(service, one)) >= 2, 120)  # noqa: B023
            safe[one.vault] = recovery_sequence(service, one)
        burn(drives / "1")
        before = [len(one.saved) for one in everybody]
        wait_until(
            lambda: all(
                len(one.saved) >= had + 3 for one, had in zip(everybody, before, strict=True)
            ),
            120,
        )
    assert count["flushed"] > 50

    for one in everybody:
        names = covered(service, one, safe[one.vault])
        assert len(names) >= 2
        for name in {names[0], *names[-2:]}:
            one.require_restored(name, tmp_path / "restored" / name)

    # The region is begun anew. What only it had is lost, and customers do what the mail about that
    # says; then the other one may burn as well.
    repairs = service.manage("repair", "--begin-anew", "a", "--json")
    assert (repairs["regions_begun_anew"], repairs["regions_away"]) == (["a"], [])
    for one in everybody:
        if isinstance(one.client, Restic):
            rebuild_index(service, one.client)
            one.back_up("--force")
        else:
            one.back_up()
    wait_until(lambda: not thin(service), 120, lambda: str(thin(service)))
    burn(drives / "2")
    for one in everybody:
        for name in [*list(one.saved)[:1], *list(one.saved)[-1:]]:
            one.require_restored(name, tmp_path / "at-last" / name)
