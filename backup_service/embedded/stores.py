"""Real S3-compatible stores for `REGIONS=s3`: one SeaweedFS a region, on 127.0.0.1 only.

Each has a folder of its own, ports of its own, and keys of its own; its settings go by file, not
by `ps`. Everything, its metadata included, is fsynced before it is acknowledged.
"""

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from backup_service.embedded import ports
from backup_service.embedded.errors import LaunchError

BUCKET = "vault"
START = 30.0  # seconds
_SPACING = 20  # ports from one store's first to the next's
_OFFSETS = (*range(1, 7), *range(11, 17))  # 5 and 15 are for a store of several drives
_S3, _MASTER, _FILER = 4, 1, 3
_GRPC = 10
_FSYNC = "fs.configure -locationPrefix=/buckets/ -fsync -apply\n"
_FILER_TOML = '[leveldb2]\nenabled = false\n\n[sqlite]\nenabled = true\ndbFile = "./filer.db"\n'
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Store:
    """One store: where it lives, the first of its ports, and the keys that open it."""

    folder: Path
    base: int
    access_key: str
    secret_key: str = field(repr=False)

    @property
    def port(self) -> int:
        """Where it speaks S3."""
        return self.base + _S3

    @property
    def location(self) -> str:
        """What NIGHTSAFE_REGIONS says of it."""
        return f"s3+http://{ports.HOST}:{self.port}/{BUCKET}"

    @property
    def ports(self) -> list[int]:
        """Everything that it listens on."""
        return [self.base + offset for offset in _OFFSETS]

    def at(self, base: int) -> "Store":
        """Return the same store on other ports."""
        return replace(self, base=base)

    def address(self, offset: int) -> str:
        """Return one of its servers' addresses, as its own programs want it."""
        return f"{ports.HOST}:{self.base + offset}.{self.base + offset + _GRPC}"


def weed() -> str:
    """Return the path of SeaweedFS's program. Raises LaunchError."""
    found = shutil.which("weed", path=os.fspath(Path(sys.executable).parent))
    if found is None:
        raise LaunchError(
            "REGIONS=s3 needs SeaweedFS, and it is not installed: make install, or leave "
            "REGIONS=s3 out to keep the regions in two directories."
        )
    return found


def draw(folder: Path, base: int) -> Store:
    """Return a new store with fresh keys."""
    return Store(folder, base, secrets.token_hex(10), secrets.token_urlsafe(32))


def free_base(wish: int, *, avoid: Collection[int] = ()) -> int:
    """Return the preferred base if its ports are free and none to be avoided, or another.

    Raises LaunchError.
    """
    bases = ports.outside(ports.outgoing())[:-_SPACING:_SPACING]
    start = secrets.randbelow(len(bases))
    wished = [wish] if wish > 0 else []
    for base in [*wished, *bases[start:], *bases[:start]]:
        if _all_free(base, avoid):
            return base
    raise LaunchError("No ports are free for the stores. Stop some other programs.")


def base_of(port: int) -> int:
    """Return the base of the store that speaks S3 on a port."""
    return port - _S3


def write_settings(store: Store) -> None:
    """Write what the store reads at its start, for its owner only."""
    store.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    keys = {"accessKey": store.access_key, "secretKey": store.secret_key}
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    identity = {"name": "nightsafe", "credentials": [keys], "actions": actions}
    for name, text in (
        ("s3.json", json.dumps({"identities": [identity]})),
        ("filer.toml", _FILER_TOML),
    ):
        descriptor = os.open(store.folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
    # It remembers its options, and would take old ports for wishes of today.
    (store.folder / "mini.options").unlink(missing_ok=True)


def argv(store: Store) -> Sequence[str]:
    """Return how to start the store, in its own folder. Raises LaunchError."""
    at = store.base
    listening = [
        f"-{name}.port{kind}={at + offset + extra}"
        for name, offset in (("master", 1), ("volume", 2), ("filer", 3), ("s3", 4), ("admin", 6))
        for kind, extra in (("", 0), (".grpc", _GRPC))
    ]
    return [
        *(shutil.which("env") or "env", "GOMEMLIMIT=512MiB", weed(), "-logtostderr=true"),
        *("mini", f"-dir={store.folder}", f"-ip={ports.HOST}", f"-ip.bind={ports.HOST}"),
        *listening,
        *("-s3.port.iceberg=0", "-s3.port.lance=0", "-admin.ui=false", "-webdav=false"),
        # Without this the filer's port reads and deletes for everybody.
        *("-disableHttp=true", "-master.telemetry=false"),
        *(f"-bucket={BUCKET}", "-s3.config=s3.json"),
    ]


def settle(store: Store, *, seconds: float = START) -> None:
    """Wait until a started store answers, and make it fsync. Raises LaunchError."""
    deadline = time.monotonic() + seconds
    while not _answers(store):
        if time.monotonic() > deadline:
            raise LaunchError(f"The store in {store.folder} did not answer after {seconds:.0f} s.")
        time.sleep(0.1)
    while not _syncs(store):
        if time.monotonic() > deadline:
            raise LaunchError(f"The store in {store.folder} could not be told to fsync.")
        time.sleep(0.3)


def _answers(store: Store) -> bool:
    """Return whether it speaks S3: without keys it must refuse."""
    try:
        with _direct.open(f"http://{ports.HOST}:{store.port}/{BUCKET}", timeout=2):
            return False  # it must not be open to everybody
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code == 403
    except OSError:
        return False


def _syncs(store: Store) -> bool:
    where = [f"-master={store.address(_MASTER)}", f"-filer={store.address(_FILER)}"]
    try:
        told = subprocess.run(
            [weed(), "shell", *where],
            input=_FSYNC,
            capture_output=True,
            text=True,
            timeout=15,
            cwd=store.folder,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return told.returncode == 0 and '"fsync":  true' in told.stdout


def _all_free(base: int, avoid: Collection[int]) -> bool:
    wanted = [base + offset for offset in _OFFSETS]
    return not set(wanted) & set(avoid) and all(ports.take(port) for port in wanted)
