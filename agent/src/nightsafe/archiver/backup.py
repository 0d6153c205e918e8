"""Runs one backup: scan, read, chunk and store; then the index, then the snapshot.

The snapshot is written last, so a backup that was interrupted is never seen as complete.
"""

import contextlib
import os
import socket
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from nightsafe.archiver.archiver import Archiver
from nightsafe.archiver.folder import ArchiveOptions, BackupCount
from nightsafe.archiver.parent import Preparation, cache_folder
from nightsafe.errors import SourceError, StaleIndexError, UsageError
from nightsafe.file_saver.worker import CHUNKERS, WorkerSetup
from nightsafe.filters.entry_filter import EntryFilter
from nightsafe.fs.files import absolute, extended_path
from nightsafe.fs.users import my_ids, my_name
from nightsafe.packer.journal import Journal
from nightsafe.progress import Event, Issue, Observer, ignore
from nightsafe.repofile.snapshot import Snapshot
from nightsafe.repofile.tags import flat_tags
from nightsafe.repository.locks import HeldLock, hold_lock
from nightsafe.repository.repository import Repository
from nightsafe.scanner.prefetch import Prefetch
from nightsafe.scanner.sources import SourcePlan, plan_sources, require_any
from nightsafe.scanner.stat_trust import StatTrust
from nightsafe.version import __version__

EXCLUDED = "an exclude fits this folder, so nothing in it is taken but what a pattern takes back"


@dataclass(frozen=True)
class BackupOptions:
    """How to back up. `dry_run` reads and counts, and stores nothing.

    `workers`: how many processes, 0 for this one alone, None for as many as there are cores.
    `wants` says by path, name and status which entries of folders get in; None means all.
    `excludes` are the patterns behind it, as the snapshot notes them.
    `chunker` says where files are cut that have to be read: "gear" by the vault's secret, "restic"
    as stock restic does, empty as the vault's config says. UsageError for any other.
    `tags` may be lists with commas, as they are written for the command line.
    `ahead` has looked at some of the folders already. `force`: read every file, whatever the last
    snapshot says of it. `issues` were found before; they are told first, and stand in the report.
    """

    tags: tuple[str, ...] = ()
    hostname: str = ""
    dry_run: bool = False
    workers: int | None = None
    wants: EntryFilter | None = None
    excludes: tuple[str, ...] = ()
    chunker: str = ""
    ahead: Prefetch | None = None
    force: bool = False
    issues: tuple[Issue, ...] = ()

    def __post_init__(self) -> None:
        if self.chunker and self.chunker not in CHUNKERS:
            known = " and ".join(CHUNKERS)
            raise UsageError(f"There is no chunker {self.chunker[:40]!a}; there are {known}.")


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
    def unread(self) -> int:
        """How many paths are not, or not wholly, in the snapshot."""
        return sum(issue.is_failure for issue in self.issues)

    @property
    def is_complete(self) -> bool:
        """Whether everything that was asked for is in the snapshot."""
        return not self.unread


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
    # The lock settles meanwhile. Packs that nothing lists harm nobody, should it not stand after
    # all; before the first index file and the snapshot it is looked at.
    with (
        hold_lock(repository, settle_later=True) as lock,
        run.spool(),
        run.journal() as journal,
    ):
        run.settle = lock.settle if lock else run.settle
        snapshot = run.archive(plan, sources, journal)
        if not run.options.dry_run:
            run.store(snapshot, plan, sources, lock=lock, journal=journal)
    run.report.seconds = time.monotonic() - started
    return run.report


def name_of(source: bytes) -> str:
    """How a snapshot names a source: absolute; U+FFFD for each byte that is no UTF-8, as restic."""
    text = absolute(source).decode("utf-8", "surrogateescape")
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class _Run:
    def __init__(self, repository: Repository, options: BackupOptions, observer: Observer) -> None:
        self.options = options
        self.report = BackupReport()
        self._repository = repository
        self._observer = observer
        self._hostname = options.hostname or socket.gethostname()
        self._before_archive = 0
        self.settle: Callable[[], None] = lambda: None
        self._remember: Callable[[Snapshot], None] = lambda _: None

    @contextlib.contextmanager
    def journal(self) -> Iterator[Journal | None]:
        """The run's journal, which stays if the run fails; None if there can be none."""
        if self.options.dry_run:
            yield None
            return
        try:
            journal = Journal.begin(cache_folder(self._repository))
        except OSError:
            yield None
            return
        try:
            yield journal
            journal.remove()
        finally:
            journal.close()

    @contextlib.contextmanager
    def spool(self) -> Iterator[None]:
        """Let packs go to the service's store in large batches, where it takes them so."""
        service = self._repository.storage
        if self.options.dry_run or service.batching is None:
            yield
            return
        from nightsafe.uploader.spooled_backend import spooled

        with spooled(service.batching, cache_folder(self._repository)) as storage:
            self._repository.storage = storage
            try:
                yield
            finally:
                self._repository.storage = service

    def plan(self, paths: list[bytes]) -> tuple[SourcePlan, list[bytes]]:
        """The tree to make and the given paths that exist; of others it is told."""
        for issue in self.options.issues:
            self._tell(issue)
        sources = []
        wants = self.options.wants
        for path in paths:
            try:
                status = os.lstat(extended_path(path))
            except OSError as error:
                text = f"{error.strerror}; it is not in this snapshot"
                self._tell(Issue("unreadable", path, text))
                continue
            sources.append(path)
            if stat.S_ISDIR(status.st_mode) and wants is not None and wants.excludes(path):
                self._tell(Issue("notice", path, EXCLUDED))
        try:
            plan = plan_sources(sources, entry_filter=wants)
        except OSError as error:
            raise SourceError(f"A folder cannot be listed: {error.strerror}.") from error
        require_any(plan)
        self._before_archive = len(self.report.issues)
        return plan, sources

    def archive(
        self,
        plan: SourcePlan,
        sources: list[bytes],
        journal: Journal | None,
        *,
        trust_cache: bool = True,
    ) -> Snapshot:
        """Store everything but the snapshot, and return that."""
        names = tuple(map(name_of, sources))
        ahead = self.options.ahead if trust_cache else None
        began = ahead.began if ahead is not None else time.time_ns()
        start = Preparation(
            self._repository,
            hostname=self._hostname,
            paths=names,
            tell=self._tell,
            given=sources,
        )
        start.settle = self.settle
        start.begin(trust_cache=trust_cache, dry_run=self.options.dry_run, force=self.options.force)
        setup = self._setup(start, journal, began)
        options = ArchiveOptions(self.options.workers, start.cache, self.settle, ahead)
        archiver = Archiver(
            self._repository,
            setup,
            options=options,
            load_index=start.load_index,
            tell=self._tell,
        )
        try:
            tree = archiver.archive(plan, start.parent_tree)
        finally:
            start.known.close()
        self._remember = lambda snapshot: start.save_cache(archiver, snapshot)
        self.report.count = archiver.count
        self.report.tree_id = tree.hex()
        self.report.parent_id = start.parent_id
        return self._snapshot(began, tree, names, start.parent_id)

    def _snapshot(
        self, began: int, tree: bytes, paths: tuple[str, ...], parent_id: str
    ) -> Snapshot:
        uid, gid = my_ids()
        return Snapshot(
            time=began,
            tree=tree,
            paths=paths,
            hostname=self._hostname,
            username=my_name(),
            uid=uid,
            gid=gid,
            tags=flat_tags(self.options.tags),
            excludes=self.options.excludes,
            parent=parent_id,
            program_version=f"nightsafe {__version__}",
        )

    def _setup(self, start: Preparation, journal: Journal | None, began: int) -> WorkerSetup:
        storage = self._repository.storage
        return WorkerSetup(
            storage=storage,
            master=self._repository.master,
            config=self._repository.config,
            known=start.known,
            journal=journal,
            wants=self.options.wants,
            dry_run=self.options.dry_run,
            senders=storage.upload_threads,
            chunker=self.options.chunker,
            trusts=start.trusts,
            will_trust=StatTrust.before(began),
        )

    def store(
        self,
        snapshot: Snapshot,
        plan: SourcePlan,
        sources: list[bytes],
        *,
        lock: HeldLock | None,
        journal: Journal | None,
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
            if lock is not None:
                lock.retake()
            del self.report.issues[self._before_archive :]
            self._save(self.archive(plan, sources, journal, trust_cache=False), lock)

    def _save(self, snapshot: Snapshot, lock: HeldLock | None) -> None:
        if lock is not None:
            lock.ensure_held()
        named = self._repository.seal_text(snapshot.encode())
        lock_name = lock.name if lock is not None else ""
        took_lock = self._repository.storage.finish(
            named, unread=self.report.unread, lock=lock_name
        )
        if took_lock and lock is not None:
            lock.was_removed(lock_name)
        self.report.snapshot_id = named[0]
        self._remember(snapshot._replace(id=named[0]))

    def _tell(self, event: Event) -> None:
        if isinstance(event, Issue):
            self.report.issues.append(event)
        self._observer(event)
