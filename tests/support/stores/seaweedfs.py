"""A real SeaweedFS for tests: as the embedded service starts it, in a throw-away folder."""

import contextlib
import ctypes
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from backup_service.embedded import stores
from backup_service.embedded.errors import LaunchError
from storage.stores.configuration import S3Region
from tests.support.programs import leave_out

_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def require_weed() -> str:
    """Return SeaweedFS's program. Where it is missing, CI fails and others skip and say why."""
    try:
        return stores.weed()
    except LaunchError:
        leave_out("SeaweedFS is not installed")


@contextlib.contextmanager
def started(
    argv: Sequence[str], folder: Path, log: str = "log"
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a process in a folder for the length of a `with` block, and no longer than the tests."""
    with (folder / log).open("ab") as output:
        process = subprocess.Popen(
            argv,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=_die_with_us,
        )
    try:
        yield process
    finally:
        end(process)


def end(process: "subprocess.Popen[bytes]") -> None:
    """Stop a process at once."""
    process.kill()
    process.wait(timeout=20)


@contextlib.contextmanager
def running() -> Iterator[stores.Store]:
    """Start one store; everything of it is gone afterwards."""
    require_weed()
    folder = Path(tempfile.mkdtemp(prefix="nightsafe-store-"))
    try:
        store = stores.draw(folder, stores.free_base(0))
        stores.write_settings(store)
        with started(stores.argv(store), folder):
            try:
                stores.settle(store)
            except LaunchError as error:
                log = (folder / "log").read_text(errors="replace")
                raise TimeoutError(f"{error}\n{log[-3000:]}") from error
            yield store
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def region(store: stores.Store, bucket: str, *, alias: str = "x", port: int = 0) -> S3Region:
    """Return a region in a bucket of a store, or of a proxy on `port` in front of it.

    It is impatient, and lists three keys at a time.
    """
    return S3Region(
        alias=alias,
        endpoint=f"http://127.0.0.1:{port or store.port}",
        bucket=bucket,
        access_key=store.access_key,
        secret_key=store.secret_key,
        public_endpoint=f"http://127.0.0.1:{store.port}",
        direct=True,
        connect_timeout=2.0,
        read_timeout=2.0 if port else 20.0,
        page=3,
    )


def _die_with_us() -> None:
    if _libc is not None:
        _libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
