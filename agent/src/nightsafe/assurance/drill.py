"""A drill: restores files, drawn at random, to a scratch place and compares them with the disk.

They come the way of every restore, so that it is proven from the service's answer to the bytes of
the file. What has changed on the disk since, or is gone there, cannot be compared; it is proven by
the hashes that every restored byte is checked against.
"""

import os
import random
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import BinaryIO

from nightsafe.errors import DamagedError, RestoreError, SettingsError
from nightsafe.fs.files import TO_READ, extended_path
from nightsafe.progress import Issue, Observer, ignore
from nightsafe.repofile.snapshot import Snapshot
from nightsafe.repository.blob_reader import BlobReader
from nightsafe.repository.repository import Repository
from nightsafe.repository.tree_walker import Found, walk
from nightsafe.restorer.options import RestoreOptions
from nightsafe.restorer.restore import restore

_CHUNK = 1 << 20
_PREFIX = "nightsafe-drill-"


@dataclass(frozen=True)
class DrillOptions:
    """`files`: how many are drawn; `bytes`: how large they may be together, but one always is.

    `scratch` is the folder in which they are restored, and removed again.
    """

    files: int = 20
    bytes: int = 200_000_000
    scratch: str = ""


@dataclass
class DrillReport:
    """How a drill ended. `equal` files are on the disk as they were restored.

    `changed` ones have other times or sizes there since, `gone` ones are not there, or not to be
    read: they were restored whole, and not compared. `issues` say what was not proven: what could
    not be restored, and what is otherwise on the disk though its time and size say it is the same.
    """

    snapshot_id: str = ""
    of_files: int = 0
    files: int = 0
    bytes: int = 0
    equal: int = 0
    changed: int = 0
    gone: int = 0
    seconds: float = 0.0
    issues: list[Issue] = field(default_factory=list)

    @property
    def has_passed(self) -> bool:
        """Whether everything that was drawn came back, and nothing else was found."""
        return not self.issues


def drill(
    repository: Repository,
    snapshot: Snapshot,
    options: DrillOptions,
    *,
    chance: random.Random | None = None,
    observer: Observer = ignore,
) -> DrillReport:
    """Restore a sample of a snapshot and compare it.

    Raises RestoreError for a snapshot without files, SettingsError where there can be no scratch
    place, and the errors of a restore.
    """
    begun = time.monotonic()
    report = DrillReport(snapshot_id=snapshot.id)
    repository.load_index()
    drawn = _draw(repository, snapshot, options, report, chance or random.SystemRandom())
    if not drawn and not report.issues:
        raise RestoreError("The snapshot holds no file, so there is nothing to try.")
    if drawn:
        with _scratch(options.scratch) as folder:
            _restored(repository, snapshot, drawn, folder, report, observer)
            for found in drawn:
                _compare(found, folder, report)
    report.seconds = time.monotonic() - begun
    return report


def _draw(
    repository: Repository,
    snapshot: Snapshot,
    options: DrillOptions,
    report: DrillReport,
    chance: random.Random,
) -> list[Found]:
    """Draw files, each as likely as any other, and leave out of these what is too much."""

    def damaged(path: bytes, error: DamagedError) -> None:
        report.issues.append(Issue("failed", path or b"/", str(error)))

    sample: list[Found] = []
    for found in walk(BlobReader(repository), snapshot.tree, on_damage=damaged):
        if found.node.type != "file":
            continue
        report.of_files += 1
        if len(sample) < options.files:
            sample.append(found)
        elif (place := chance.randrange(report.of_files)) < options.files:
            sample[place] = found
    chance.shuffle(sample)
    drawn: list[Found] = []
    left = options.bytes
    for found in sample:
        if found.node.size <= left:
            drawn.append(found)
            left -= found.node.size
    return drawn or sorted(sample, key=lambda found: found.node.size)[:1]


def _restored(
    repository: Repository,
    snapshot: Snapshot,
    drawn: list[Found],
    folder: bytes,
    report: DrillReport,
    observer: Observer,
) -> None:
    paths = [found.path for found in drawn]
    options = RestoreOptions(verify=True)
    done = restore(repository, snapshot, folder, include=paths, options=options, observer=observer)
    report.issues += [issue for issue in done.issues if issue.is_failure]


def _compare(found: Found, folder: bytes, report: DrillReport) -> None:
    """Compare a file with what was restored; count it."""
    failed = any(issue.path == found.path for issue in report.issues)
    copy = folder + found.path
    try:
        size = os.lstat(extended_path(copy)).st_size
    except OSError as error:
        if not failed:
            text = f"it was not restored: {error.strerror}"
            report.issues.append(Issue("failed", found.path, text))
        return
    if size != found.node.size and not failed:
        text = f"{size} bytes were restored, and it has {found.node.size}"
        report.issues.append(Issue("failed", found.path, text))
    if size != found.node.size or failed:
        return
    report.files += 1
    report.bytes += size
    _with_the_disk(found, copy, report)


def _with_the_disk(found: Found, copy: bytes, report: DrillReport) -> None:
    try:
        with _open(found.path) as original:
            if not _is_as_saved(found, original):
                report.changed += 1
                return
            with open(extended_path(copy), "rb") as restored:
                is_equal = _are_equal(original, restored)
            if is_equal:
                report.equal += 1
            elif _is_as_saved(found, original):
                text = (
                    "what is on the disk differs from what was backed up, though its time and size "
                    "are the same: the disk or a program may have damaged it"
                )
                report.issues.append(Issue("failed", found.path, text))
            else:
                report.changed += 1
    except OSError:
        report.gone += 1


def _open(path: bytes) -> BinaryIO:
    """Open a file of the disk, waiting for nobody should it be a pipe by now."""
    return open(os.open(extended_path(path), TO_READ), "rb")


def _is_as_saved(found: Found, original: BinaryIO) -> bool:
    status = os.fstat(original.fileno())
    return stat.S_ISREG(status.st_mode) and (status.st_size, status.st_mtime_ns) == (
        found.node.size,
        found.node.mtime,
    )


def _are_equal(one: BinaryIO, other: BinaryIO) -> bool:
    while True:
        ours, theirs = one.read(_CHUNK), other.read(_CHUNK)
        if ours != theirs:
            return False
        if not ours:
            return True


@contextmanager
def _scratch(parent: str) -> Iterator[bytes]:
    """Make a folder for this user alone, and remove it with all that is in it."""
    try:
        if parent:
            os.makedirs(parent, mode=0o700, exist_ok=True)
        folder = tempfile.mkdtemp(prefix=_PREFIX, dir=parent or None)
    except OSError as error:
        raise SettingsError(
            f"There can be no scratch place in {parent or tempfile.gettempdir()}: "
            f"{error.strerror}. Name another folder with --scratch."
        ) from error
    try:
        yield os.fsencode(folder)
    finally:
        shutil.rmtree(folder, onerror=_make_writable)


def _make_writable(remove: Callable[[str], object], path: str, error: object) -> None:
    """Remove what was restored into a folder that nobody may write into."""
    with suppress(OSError):
        os.chmod(os.path.dirname(path), stat.S_IRWXU)
    with suppress(OSError):
        remove(path)
