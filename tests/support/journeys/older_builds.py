"""What older builds have left behind; `python -m tools.older_build` made the archives."""

import json
import tarfile
from dataclasses import dataclass
from pathlib import Path

from backup_service.env import BASE_DIR

COMMITS = ("5611230", "f84ab43")
"""One whose tables were others, and the last one before modules were sorted into packages."""
PASSPHRASE = "correct horse battery staple"
PLACE = "/mnt"  # where the image was mounted
SOURCE = f"{PLACE}/papers"
BACKUP = ("backup", "--json", "--host", "laptop", SOURCE)
ZONE = "UTC"  # a cache is good in one time zone
BEFORE = "before"  # beside the source: what it was at the time of the first snapshot
UNCHANGED = "unchanged"
NOTE = "told.json"


@dataclass(frozen=True)
class Remains:
    """One older build's data directory, its agent's folders, and the disk that was backed up."""

    data_dir: Path
    home: Path
    image: Path
    vault: str
    username: str
    secret: str
    snapshots: tuple[str, ...]


def archive_of(commit: str) -> Path:
    """Return the path of a commit's archive."""
    return BASE_DIR / "tests" / "vectors" / f"older-build-{commit}.tar.xz"


def device_number(commit: str) -> int:
    """Return the number of the loop device for a commit's disk, which agents remember."""
    return int(commit, 16) % (1 << 20)


def unpack(commit: str, folder: Path) -> Remains:
    """Lay a copy of what a commit has left into a folder."""
    with tarfile.open(archive_of(commit)) as tar:
        tar.extractall(folder, filter="data")
    told = json.loads((folder / NOTE).read_text())
    return Remains(
        folder / "data",
        folder / "home",
        folder / "image",
        told["vault"],
        told["username"],
        told["secret"],
        tuple(told["snapshots"]),
    )
