"""Feeds a backup's paths to the workers and assembles their results into a stored tree.

Folders are handed out to workers, deepest first; a folder's tree is stored as soon
as everything below it is known, so that few are in memory at a time.
"""

import time
from collections.abc import Callable

from nightsafe.archiver.folder import ArchiveOptions, Folder
from nightsafe.archiver.folder_tracker import FolderTracker
from nightsafe.archiver.parent_lookup import ELSEWHERE, ParentLookup
from nightsafe.archiver.stats import BackupStats
from nightsafe.archiver.tree_saver import TreeSaver, load_former
from nightsafe.file_saver.job_runner import InlineRunner, Job, JobRunner, PoolRunner, Result
from nightsafe.file_saver.large_files import LargeFile, LargeFiles
from nightsafe.file_saver.worker import JobResult, WorkerSetup
from nightsafe.fs.lstat import IS_NATIVE
from nightsafe.progress import Observer
from nightsafe.repository.repository import Repository
from nightsafe.scanner.change_detector import probe_all
from nightsafe.scanner.fingerprint import Fingerprint
from nightsafe.scanner.lister import ChangeDetector
from nightsafe.scanner.prefetch import Prefetch
from nightsafe.scanner.sources import SourcePlan
from nightsafe.scanner.tree_cache import CacheWriter
from nightsafe.workers.pool import worker_count
from nightsafe.workers.process import begins_with_memory

INLINE_SECONDS = 0.05
"""How long this process works alone before it starts others."""
_FOLDERS_IN_A_JOB, _ENTRIES_IN_A_JOB = 4, 512
_MANY = 64


class Archiver:
    """Walks a plan with the help of workers. `load_index` is called before anything is stored."""

    def __init__(
        self,
        repository: Repository,
        setup: WorkerSetup,
        *,
        options: ArchiveOptions,
        load_index: Callable[[], None],
        tell: Observer,
    ) -> None:
        self._stats = BackupStats(tell)
        self.count = self._stats.count
        self.store = TreeSaver(repository, setup, options.settle)
        self._workers = worker_count(options.workers)
        self._large = LargeFiles(
            setup.new_chunker(), workers=self._workers, shares=begins_with_memory()
        )
        self._setup = setup = setup._replace(shared=self._large.shared)
        self._load_index: Callable[[], None] | None = load_index
        fingerprint = Fingerprint(setup.master)
        self._former = ParentLookup(options.cache, fingerprint, self._load_former)
        self._folders = FolderTracker(self._former, self._stats, self.store, fingerprint)
        self._ahead = options.ahead or Prefetch()
        self._detector = ChangeDetector(setup.wants, fingerprint, self._ahead.take)
        self._inline = InlineRunner(setup)
        self._runner: JobRunner = self._inline
        self._pending = self._last_entries = 0

    @property
    def records(self) -> CacheWriter:
        """What the next backup may compare with."""
        return self._folders.records

    def archive(self, plan: SourcePlan, parent: bytes) -> bytes:
        """Store everything that `plan` names; returns the root tree's id.

        `parent` is the root tree's id of the snapshot to compare with, or empty. SourceError
        if the tree would be empty.
        """
        try:
            self._former.start(parent, plan.children)
            self._folders.open_root(plan, parent)
            self._stats.notice(ELSEWHERE if self._former.is_elsewhere else "")
            self._run()
            self._finish_runners()
            self.store.finish()
            self._tell_sent()
        finally:
            self._runner.close()
            self._large.close()
            self.store.close()
        self.count.added_blobs += self.store.added_blobs
        self.count.added_bytes += self.store.added_bytes
        self.count.stored_bytes = self.store.stored_bytes
        return self._folders.root_id

    def _run(self) -> None:
        self._probe()
        self._ahead.forget()
        self._may_work_alone_until = time.monotonic() + INLINE_SECONDS
        while self._folders.todo or self._pending or self._feed_large():
            self._feed()
            if not self._pending:
                continue
            results, packs = self._runner.results()
            self.store.learn(packs)
            self._tell_sent()
            for result in results:
                self._pending -= 1
                self._deal_with(result)
            self._probe()

    def _probe(self) -> None:
        """Look at the folders that the last backup knew; those that changed become jobs."""
        threads = self._workers if IS_NATIVE else 0
        probe_all(self._folders.probes, self._detector, self._folders.probed, threads=threads)
        self._stats.passed()  # of folders that were complete only now

    def _tell_sent(self) -> None:
        if not self._setup.dry_run:
            self._stats.sent(self.store.stored_bytes)

    def _feed(self) -> None:
        """Hand out jobs while somebody has room for them."""
        while self._runner.has_room():
            if self._feed_large():
                continue
            if self._folders.todo:
                size = self._folders_in_a_job() if len(self._folders.todo) > _MANY else 1
                jobs = self._folders.todo[-size:]
                del self._folders.todo[-size:]
                self._submit([self._complete_job(job) for job in jobs])
            else:
                return

    def _folders_in_a_job(self) -> int:
        """Several, but fewer the more the last one held, since all their nodes come at once."""
        return max(1, min(_FOLDERS_IN_A_JOB, _ENTRIES_IN_A_JOB // max(1, self._last_entries)))

    def _submit(self, jobs: list[Job]) -> None:
        self._pending += len(jobs)
        self._runner.submit(jobs)

    def _complete_job(self, job: Job) -> Job:
        """Add the former tree, as late as possible, so that few are in memory."""
        *fields, former = job
        return (*fields, self._load_former(former))

    def _load_former(self, tree: bytes) -> bytes:
        self._require_index()
        raw, trouble = load_former(self.store, tree)
        self._stats.damaged(trouble)
        return raw

    def _feed_large(self) -> bool:
        """Hand out a piece of a large file; False if there is none, or no room."""
        if not self._runner.has_room():
            return False
        self._grow()
        job = self._large.next_job()
        if isinstance(job, LargeFile):
            self._finish_large(job)
            return True
        if job is None:
            return False
        if self._large.is_much:
            self._may_work_alone_until = 0.0
            self._grow()
        self._submit([job])
        return True

    def _grow(self) -> None:
        """Start worker processes once the work has proved to be more than a moment's."""
        if (
            self._runner is self._inline
            and self._workers
            and time.monotonic() > self._may_work_alone_until
        ):
            self._runner = PoolRunner(self._setup, self._workers)

    def _finish_runners(self) -> None:
        runners: list[JobRunner] = [self._inline]
        if self._runner is not self._inline:
            runners.append(self._runner)
        for runner in runners:
            for packs, tail in runner.finish():
                self.store.learn(packs)
                self.store.absorb(tail)

    def _require_index(self) -> None:
        if self._load_index is not None:
            load, self._load_index = self._load_index, None
            load()

    def _deal_with(self, result: Result) -> None:
        match result:
            case ("found", number, *fields):
                self._found(self._folders.take(number), JobResult(*fields))
            case ("slices", number, names):
                self._folders.slice(self._folders.take(number), names)
            case ("unlisted", number, problem):
                self._folders.drop(self._folders.take(number), problem)
            case ("stored", key, sequence, ids, size, added):
                self._stats.added(added)
                self._stats.advanced(size)
                self._finish_large(self._large.stored(key, sequence, ids, size))
            case ("unread", key, sequence, problem):
                self._finish_large(self._large.unread(key, sequence, problem))

    def _found(self, folder: Folder, found: JobResult) -> None:
        self._last_entries = max(len(found.parts), len(found.done))
        for file in self._folders.found(folder, found):
            self._large.add(file)

    def _finish_large(self, file: LargeFile | None) -> None:
        if file is None:
            return
        node, folder = file.finish(), file.owner
        if not isinstance(folder, Folder):
            raise TypeError("owner")
        self._stats.note(file.problems, folder)
        if node:
            folder.parts[file.position] = node
            self._stats.files(folder, [(file.name, file.state, file.size)], advance=False)
        else:
            folder.leave_out(file.position)
        self._folders.release(folder)
