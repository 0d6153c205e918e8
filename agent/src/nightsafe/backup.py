"""Backing up: scan, read, cut, store; then the index, then the snapshot.

The snapshot is written last, so a backup that was interrupted is never seen as complete.
"""

import os
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from nightsafe import __version__
from nightsafe.archive import Archiver, BackupCount
from nightsafe.errors import NightsafeError, SourceError, StaleIndexError
from nightsafe.fetch import BlobReader
from nightsafe.locks import LockHold, hold, user_name
from nightsafe.progress import Event, Issue, Observer, ignore
from nightsafe.repository import Repository
from nightsafe.scan import Plan, plan_sources, require_any
from nightsafe.snapshot import Snapshot, find_parent
from nightsafe.storage import ObjectKind
from nightsafe.tree import Node
from nightsafe.upload import Uploader


@dataclass(frozen=True)
class BackupOptions:
    """How to back up. `dry_run` reads and counts, and stores nothing."""

    tags: tuple[str, ...] = ()
    hostname: str = ""
    dry_run: bool = False


@dataclass
class BackupReport:
    """What a backup did. `snapshot_id` is empty after a dry run."""

    snapshot_id: str = ""
    parent_id: str = ""
    tree_id: str = ""
    seconds: float = 0.0
    count: BackupCount = field(default_factory=BackupCount)
    issues: list[Issue] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether everything that was asked for is in the snapshot."""
        return not any(issue.is_failure for issue in self.issues)


def backup(
    repository: Repository,
    paths: Iterable[bytes],
    options: BackupOptions | None = None,
    observer: Observer = ignore,
) -> BackupReport:
    """Back up `paths` into a new snapshot.

    Files that cannot be read are issues of the report, not errors. SourceError when nothing
    can be backed up, LockedError, LockLostError, and the storage's errors otherwise.
    """
    run = _Run(repository, options or BackupOptions(), observer)
    started = time.monotonic()
    plan, sources = run.plan(list(paths))
    with hold(repository) as lock:
        snapshot = run.archive(plan, sources)
        if not run.options.dry_run:
            run.store(snapshot, plan, sources, lock)
    run.report.seconds = time.monotonic() - started
    return run.report


class _Run:
    def __init__(self, repository: Repository, options: BackupOptions, observer: Observer) -> None:
        self.options = options
        self.report = BackupReport()
        self._repository = repository
        self._observer = observer
        self._hostname = options.hostname or socket.gethostname()
        self._before_archive = 0

    def plan(self, paths: list[bytes]) -> tuple[Plan, list[bytes]]:
        """The tree to make and the given paths that exist; the others are issues."""
        sources = []
        for path in paths:
            try:
                os.lstat(path)
                sources.append(path)
            except OSError as error:
                text = f"{error.strerror}; it is not in this snapshot"
                self._tell(Issue("unreadable", path, text))
        try:
            plan = plan_sources(sources)
        except OSError as error:
            raise SourceError(f"A folder cannot be listed: {error.strerror}.") from error
        require_any(plan)
        self._before_archive = len(self.report.issues)
        return plan, sources

    def archive(self, plan: Plan, sources: list[bytes]) -> Snapshot:
        """Store everything but the snapshot, and return that."""
        names = tuple(os.path.abspath(path).decode("utf-8", "replace") for path in sources)
        began = time.time_ns()
        parent = self._load(names)
        uploader = Uploader(self._repository, dry_run=self.options.dry_run)
        archiver = Archiver(self._repository, uploader, self._tell)
        tree = archiver.archive(plan, self._parent_nodes(parent))
        uploader.flush()
        self.report.count = replace(archiver.count, stored_bytes=uploader.count.stored_bytes)
        self.report.tree_id = tree.hex()
        self.report.parent_id = parent.id if parent else ""
        return Snapshot(
            time=began,
            tree=tree,
            paths=names,
            hostname=self._hostname,
            username=user_name(),
            uid=os.getuid(),
            gid=os.getgid(),
            tags=self.options.tags,
            parent=parent.id if parent else "",
            program_version=f"nightsafe {__version__}",
        )

    def store(
        self, snapshot: Snapshot, plan: Plan, sources: list[bytes], lock: LockHold | None
    ) -> None:
        """Write the snapshot. If another device pruned meanwhile, store what that took first."""
        try:
            self._save(snapshot, lock)
        except StaleIndexError:
            self._tell(
                Issue(
                    "notice", b"", "Another device pruned meanwhile; storing again what is missing."
                )
            )
            del self.report.issues[self._before_archive :]
            self._save(self.archive(plan, sources), lock)

    def _save(self, snapshot: Snapshot, lock: LockHold | None) -> None:
        if lock is not None:
            lock.ensure_held()
        self.report.snapshot_id = self._repository.save_text(ObjectKind.SNAPSHOT, snapshot.encode())

    def _load(self, names: tuple[str, ...]) -> Snapshot | None:
        """Load snapshots, then the index (in this order, or a snapshot might seem to dangle)."""
        snapshots = self._repository.load_snapshots()
        damaged = [f"snapshot {name[:8]}" for name in snapshots.damaged]
        damaged += [f"index file {name[:8]}" for name in self._repository.load_index()]
        for what in damaged:
            text = f"The repository's {what} is damaged and was passed over."
            self._tell(Issue("damaged", b"", f"{text} Run `nightsafe check`."))
        return find_parent(snapshots.sound, hostname=self._hostname, paths=names)

    def _parent_nodes(self, parent: Snapshot | None) -> list[Node]:
        if parent is None:
            return []
        try:
            return BlobReader(self._repository).load_tree(parent.tree)
        except NightsafeError as error:
            text = f"The last snapshot cannot be read, so every file is read anew. {error}"
            self._tell(Issue("damaged", b"", text))
            return []

    def _tell(self, event: Event) -> None:
        if isinstance(event, Issue):
            self.report.issues.append(event)
        self._observer(event)
