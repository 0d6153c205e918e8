"""Two real stores, a database beside them, and worker processes of ours that copy and scrub."""

import ctypes
import hashlib
import io
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from backup_service.embedded import stores as embedded

ROOT = Path(__file__).parents[1]
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class Stores:
    """Regions a and b in SeaweedFS, and this process as a service that keeps objects there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        self.a = self._start("a", avoid=[])
        self.b = self._start("b", avoid=self.a.ports)
        self._become_service()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._processes:
            process.kill()
            process.wait(timeout=20)
        shutil.rmtree(self.folder, ignore_errors=True)

    def fill(self, count: int, size: int) -> None:
        """Store objects of random bytes in region a, through the write path."""
        from accounts.actions import open_account
        from accounts.audit import SERVICE
        from accounts.models import User
        from billing.actions import entitlements_of, subscribe
        from storage.body import HashedBody
        from storage.models import Region
        from storage.object_names import ObjectType, parse_name
        from storage.uploads import ingest
        from storage.vaults.access import Access
        from storage.vaults.enrolment import create_vault

        account = open_account(User.objects.create_user("bench@example.org"))
        subscribe(account, plan="plus", actor=SERVICE)
        made = create_vault(account, name="bench", actor=SERVICE)
        access = Access(made.first.credential, made.vault, entitlements_of(account))
        region = Region.objects.get(alias="a")
        for _ in range(count):
            content = os.urandom(size)
            digest = hashlib.sha256(content).hexdigest()
            body = HashedBody(io.BytesIO(content), size=size, sha256=digest)
            ingest.deposit(access, parse_name(ObjectType.DATA, digest), body, into=region)

    def replicate(self, workers: int) -> float:
        """Have worker processes make all replicas; return the seconds of the slowest."""
        return self._work("replicate", workers)

    def scrub(self, first: Callable[[], object]) -> float:
        """Have a worker process read all of region b back; return its seconds.

        `first` is called when it is ready to begin. Services scrub in one process at a time.
        """
        return self._work("scrub", 1, first)

    def undo_replication(self) -> None:
        """Take the replicas in region b away again."""
        from storage.models import Attempt, Replica
        from storage.stores.registry import store_of

        copies = Replica.objects.filter(region__alias="b")
        for attempt in Attempt.objects.filter(region__alias="b").select_related("vault", "region"):
            store_of(attempt.region).delete(attempt.key)
        copies.update(state=Replica.State.PENDING, attempt=None, verified_at=None)
        Attempt.objects.filter(region__alias="b").delete()

    def drop_rclone(self) -> None:
        """Take what rclone copied away again."""
        subprocess.run(["rclone", "purge", "b:rclone"], env=self.rclone_environment, check=True)

    @property
    def rclone_environment(self) -> dict[str, str]:
        """What rclone has to know of both stores."""
        found = {"RCLONE_CONFIG": os.devnull}
        for name, store in (("A", self.a), ("B", self.b)):
            for key, value in (
                ("TYPE", "s3"),
                ("PROVIDER", "Other"),
                ("ENDPOINT", f"http://127.0.0.1:{store.port}"),
                ("ACCESS_KEY_ID", store.access_key),
                ("SECRET_ACCESS_KEY", store.secret_key),
                ("FORCE_PATH_STYLE", "true"),
            ):
                found[f"RCLONE_CONFIG_{name}_{key}"] = value
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {**kept, **found}

    def _work(self, what: str, workers: int, first: Callable[[], object] = lambda: None) -> float:
        """Start workers, let all begin at once when all are ready, and wait for their ends."""
        command = [sys.executable, "-m", "bench.replication.worker", what]
        running = [
            subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for _ in range(workers)
        ]
        for process in running:
            assert process.stdout is not None
            process.stdout.readline()
        first()
        seconds = []
        for process in running:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        for process in running:
            out, _ = process.communicate()
            if process.returncode:
                raise SystemExit(f"a worker failed: {out}")
            seconds.append(float(out.split()[-1]))
        return max(seconds)

    def _start(self, alias: str, *, avoid: list[int]) -> embedded.Store:
        folder = self.folder / alias
        store = embedded.draw(folder, embedded.free_base(0, avoid=avoid))
        embedded.write_settings(store)
        with (self.folder / f"{alias}.log").open("ab") as log:
            self._processes.append(
                subprocess.Popen(
                    embedded.argv(store),
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    preexec_fn=_die_with_us,
                )
            )
        embedded.settle(store)
        return store

    def _become_service(self) -> None:
        for name in [name for name in os.environ if name.startswith("NIGHTSAFE_")]:
            del os.environ[name]
        os.environ.pop("DATABASE_URL", None)
        os.environ["DATA_DIR"] = str(self.folder / "data")
        (self.folder / "data").mkdir()
        os.environ["NIGHTSAFE_EMBEDDED"] = "1"
        os.environ["NIGHTSAFE_BROKER_URL"] = "redis://127.0.0.1:1/0"
        os.environ["NIGHTSAFE_LOG_LEVEL"] = "ERROR"
        os.environ["NIGHTSAFE_REGIONS"] = f"a={self.a.location},b={self.b.location}"
        for name, store in (("A", self.a), ("B", self.b)):
            os.environ[f"NIGHTSAFE_REGION_{name}_ACCESS_KEY"] = store.access_key
            os.environ[f"NIGHTSAFE_REGION_{name}_SECRET_KEY"] = store.secret_key
            os.environ[f"NIGHTSAFE_REGION_{name}_DIRECT"] = "yes"
        os.environ["DJANGO_SETTINGS_MODULE"] = "backup_service.settings"
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        from accounts.audit import SERVICE
        from storage.stores.registry import prepare_new, sync_rows

        sync_rows()
        prepare_new(SERVICE)


def _die_with_us() -> None:
    if _libc is not None:
        _libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
