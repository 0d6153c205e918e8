"""A SeaweedFS with three drives: master, filer with S3, and a volume server for each drive."""

import contextlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from backup_service.embedded import stores
from tests.support.stores.seaweedfs import end, require_weed, started

READY = 40.0  # seconds
_MASTER, _FILER, _S3 = 1, 3, 4
_DRIVES = (2, 6, 5)  # volume servers' ports, counted from the base


class Cluster:
    """Three drives, of which every byte is on two."""

    def __init__(self, store: stores.Store, processes: ExitStack) -> None:
        self.store = store
        self._stack = processes
        self._drives: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start everything. Raises TimeoutError."""
        at, folder = self.store.base, self.store.folder
        listening = [at + offset for offset in (_MASTER, *_DRIVES, _FILER, _S3)]
        assert {*listening, *(port + 10 for port in listening)} <= set(self.store.ports), "not held"
        (folder / "master").mkdir()
        common = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
        master = ["master", f"-mdir={folder}/master", "-defaultReplication=001", *common]
        master += ["-telemetry=false", "-volumeSizeLimitMB=64"]
        self._run([*master, *_ports("port", at + _MASTER)], "master.log")
        for number, offset in enumerate(_DRIVES):
            drive = folder / f"drive-{number}"
            drive.mkdir()
            words = ["volume", f"-dir={drive}", "-max=30", *common, *_ports("port", at + offset)]
            words += [
                f"-master={self.store.address(_MASTER)}",
                "-volume.allowUntrustedRemoteEndpoints",
            ]
            self._drives.append(self._run(words, f"drive-{number}.log"))
        filer = ["filer", f"-master={self.store.address(_MASTER)}", *common]
        filer += ["-defaultReplicaPlacement=001", "-disableHttp=true", *_ports("port", at + _FILER)]
        self._run(filer, "filer.log")
        s3 = ["s3", f"-filer={self.store.address(_FILER)}", "-config=s3.json", common[1]]
        s3 += ["-port.iceberg=0", "-port.lance=0", *_ports("port", at + _S3)]
        self._run(s3, "s3.log")
        stores.settle(self.store, seconds=READY)
        wait(lambda: "volume servers 3" in self.tell("cluster.ps"))

    def destroy(self, number: int) -> None:
        """Lose a drive with all that is on it."""
        end(self._drives[number])
        shutil.rmtree(self.store.folder / f"drive-{number}")

    def repair(self) -> None:
        """Copy what is on one drive only to another, as an operator would."""
        told = self.tell("lock", "volume.fix.replication -apply", "unlock")
        if "replicating volume" not in told:
            raise TimeoutError(f"nothing was repaired:\n{told}")

    def tell(self, *commands: str) -> str:
        """Say something in SeaweedFS's shell; return what it prints."""
        where = [f"-master={self.store.address(_MASTER)}", f"-filer={self.store.address(_FILER)}"]
        done = subprocess.run(
            [stores.weed(), "shell", *where],
            input="\n".join(commands) + "\n",
            capture_output=True,
            text=True,
            timeout=60,
            cwd=self.store.folder,
            check=False,
        )
        return done.stdout + done.stderr

    def drives_with_data(self) -> list[int]:
        """Return how many bytes of volumes lie on each drive, destroyed ones as -1."""
        found = []
        for number in range(len(_DRIVES)):
            drive = self.store.folder / f"drive-{number}"
            volumes = drive.glob("*.dat") if drive.exists() else None
            found.append(-1 if volumes is None else sum(one.stat().st_size for one in volumes))
        return found

    def _run(self, words: list[str], log: str) -> "subprocess.Popen[bytes]":
        command = [stores.weed(), "-logtostderr=true", *words]
        return self._stack.enter_context(started(command, self.store.folder, log))


@contextlib.contextmanager
def running() -> Iterator[Cluster]:
    """Start a cluster; everything of it is gone afterwards."""
    require_weed()
    folder = Path(tempfile.mkdtemp(prefix="nightsafe-cluster-"))
    try:
        store = stores.draw(folder, stores.free_base(0))
        stores.write_settings(store)
        with ExitStack() as processes:
            cluster = Cluster(store, processes)
            cluster.start()
            yield cluster
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def wait(is_true: Callable[[], bool], seconds: float = READY) -> None:
    """Wait for a condition. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > deadline:
            raise TimeoutError("the cluster did not come to it")
        time.sleep(0.3)


def _ports(name: str, port: int) -> list[str]:
    return [f"-{name}={port}", f"-{name}.grpc={port + 10}"]
