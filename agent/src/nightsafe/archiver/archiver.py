"""Feeds a backup's paths to the workers and assembles their results into a stored tree.

Folders are handed out to a crew of workers, deepest first; a folder's tree is stored as soon
as everything below it is known, so that few are in memory at a time.
"""

import time
from collections.abc import Callable

from nightsafe.archiver.folder import ArchiveOptions, Folder, worker_count
from nightsafe.archiver.parent_lookup import ELSEWHERE, ParentLookup
from nightsafe.archiver.stats import BackupStats
from nightsafe.archiver.tree_saver import TreeSaver, load_former
from nightsafe.errors import SourceError
from nightsafe.file_saver.large_files import LargeFile, LargeFiles
from nightsafe.file_saver.node_json import encode_planned
from nightsafe.file_saver.worker import JobResult, WorkerSetup
from nightsafe.file_saver.worker_pool import InlinePool, Job, ProcessPool, Result, WorkerPool
from nightsafe.fs.stat import IS_NATIVE
from nightsafe.progress import Observer
from nightsafe.repository.repository import Repository
from nightsafe.scanner.change_detector import probe_all
from nightsafe.scanner.fingerprint import Fingerprint
from nightsafe.scanner.lister import SLICE_ENTRIES, ChangeDetector, Probe, Problem, Same, problem_of
from nightsafe.scanner.parent_tree import ParentTree
from nightsafe.scanner.prefetch import Prefetch
from nightsafe.scanner.sources import SourcePlan
from nightsafe.scanner.tree_cache import NO_FINGERPRINT, CacheWriter, FolderRecord
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
        self._tally = BackupStats(tell)
        self.count = self._tally.count
        self.records = CacheWriter()
        self.store = TreeSaver(repository, setup, options.settle)
        self._workers = worker_count(options.workers)
        self._large = LargeFiles(
            setup.new_chunker(), workers=self._workers, shares=begins_with_memory()
        )
        self._setup = setup = setup._replace(shared=self._large.shared)
        self._load_index: Callable[[], None] | None = load_index
        self._print = Fingerprint(setup.master)
        self._former = ParentLookup(options.cache, self._print, self._load_former)
        self._folders: dict[int, Folder] = {}
        self._next_number = 0
        self._todo: list[Job] = []
        self._probes: list[Probe] = []
        self._ahead = options.ahead or Prefetch()
        self._prober = ChangeDetector(setup.wants, self._print, self._ahead.take)
        self._inline = InlinePool(setup)
        self._crew: WorkerPool = self._inline
        self._pending = self._last_entries = 0
        self._root_id = b""

    def archive(self, plan: SourcePlan, parent: bytes) -> bytes:
        """Store everything that `plan` names; returns the root tree's id.

        `parent` is the root tree's id of the snapshot to compare with, or empty. SourceError
        if the tree would be empty.
        """
        try:
            self._former.start(parent, plan.children)
            root = Folder(b"", None, former=parent, is_planned=True)
            self._open_planned(root, plan)
            self._tally.notice(ELSEWHERE if self._former.is_elsewhere else "")
            self._run()
            self._finish_crews()
            self.store.finish()
            self._tell_sent()
        finally:
            self._crew.stop()
            self._large.close()
            self.store.close()
        self.count.added_blobs += self.store.added_blobs
        self.count.added_bytes += self.store.added_bytes
        self.count.stored_bytes = self.store.stored_bytes
        return self._root_id

    def _run(self) -> None:
        self._probe()
        self._ahead.forget()
        self._may_work_alone_until = time.monotonic() + INLINE_SECONDS
        while self._todo or self._pending or self._feed_large():
            self._feed()
            if not self._pending:
                continue
            results, packs = self._crew.collect()
            self.store.learn(packs)
            self._tell_sent()
            for result in results:
                self._pending -= 1
                self._deal_with(result)
            self._probe()

    def _probe(self) -> None:
        """Look at the folders that the last backup knew; those that changed become jobs."""
        threads = self._workers if IS_NATIVE else 0
        probe_all(self._probes, self._prober, self._probed, threads=threads)
        self._tally.passed()  # of folders that were complete only now

    def _tell_sent(self) -> None:
        if not self._setup.dry_run:
            self._tally.sent(self.store.stored_bytes)

    def _feed(self) -> None:
        """Hand out jobs while somebody has room for them."""
        while self._crew.has_room():
            if self._feed_large():
                continue
            if self._todo:
                size = self._folders_in_a_job() if len(self._todo) > _MANY else 1
                jobs = self._todo[-size:]
                del self._todo[-size:]
                self._hand_out([self._complete_job(job) for job in jobs])
            else:
                return

    def _folders_in_a_job(self) -> int:
        """Several, but fewer the more the last one held, since all their nodes come at once."""
        return max(1, min(_FOLDERS_IN_A_JOB, _ENTRIES_IN_A_JOB // max(1, self._last_entries)))

    def _hand_out(self, jobs: list[Job]) -> None:
        self._pending += len(jobs)
        self._crew.hand_out(jobs)

    def _complete_job(self, job: Job) -> Job:
        """Add the former tree, as late as possible, so that few are in memory."""
        *fields, former = job
        return (*fields, self._load_former(former))

    def _load_former(self, tree: bytes) -> bytes:
        self._require_index()
        raw, trouble = load_former(self.store, tree)
        self._tally.damaged(trouble)
        return raw

    def _feed_large(self) -> bool:
        """Hand out a piece of a large file; False if there is none, or no room."""
        if not self._crew.has_room():
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
        self._hand_out([job])
        return True

    def _grow(self) -> None:
        """Start worker processes once the work has proved to be more than a moment's."""
        if (
            self._crew is self._inline
            and self._workers
            and time.monotonic() > self._may_work_alone_until
        ):
            self._crew = ProcessPool(self._setup, self._workers)

    def _finish_crews(self) -> None:
        crews = [self._inline] if self._crew is self._inline else [self._inline, self._crew]
        for crew in crews:
            for packs, tail in crew.finish():
                self.store.learn(packs)
                self.store.absorb(tail)

    def _require_index(self) -> None:
        if self._load_index is not None:
            load, self._load_index = self._load_index, None
            load()

    def _open_planned(self, folder: Folder, plan: SourcePlan) -> None:
        """A folder that is only on the way to what was asked for."""
        folder.key = self._former.key_on_the_way(folder.path)
        folder.record = self._former.record(folder.key)
        if folder.record is not None:
            folder.former = folder.record.tree
        before = self._former.tree(folder.former)
        children = sorted(plan.children.items(), key=lambda item: item[0])
        folder.parts = [b""] * len(children)
        folder.waiting = 1  # so that it is not complete before all children have begun
        for slot, (name, child) in enumerate(children):
            self._open_child(folder, slot, name, child, before)
        self._release(folder)

    def _open_child(
        self, folder: Folder, slot: int, name: bytes, plan: SourcePlan, before: ParentTree
    ) -> None:
        path = plan.meta_path if plan.path is None else plan.path
        problems: list[Problem] = []
        try:
            node = encode_planned(name, path, problems, is_leaf=plan.path is not None)
        except OSError as error:
            self._tally.note([*problems, problem_of(path, error)], folder)
            return
        self._tally.note(problems, folder)
        if not node:
            lone = Folder(path, folder, slot, name, is_splice=True, entry_path=path)
            folder.waiting += 1
            former = self._former.around(folder, before, name, path)
            self._queue(lone, "entries", [(name, path)], former)
            return
        folder.parts[slot], folder.entries = node, folder.entries + 1
        child = Folder(path, folder, slot, name, self._former.subtree(before, plan, name))
        if plan.path is not None:
            self._open_folder(child)
            return
        child.is_planned = True
        folder.waiting += 1
        self._open_planned(child, plan)

    def _open_folder(self, folder: Folder) -> None:
        """A folder with all that is in it."""
        if folder.above is not None:
            folder.above.waiting += 1
        folder.key = self._former.key(folder.path)
        folder.record = self._former.record(folder.key)
        if folder.record is None:
            self._queue(folder, "folder", folder.path, folder.former)
            return
        folder.former = folder.record.tree
        number = self._number(folder)
        self._probes.append((number, folder.path, folder.record.fingerprint))

    def _number(self, folder: Folder) -> int:
        number, self._next_number = self._next_number, self._next_number + 1
        self._folders[number] = folder
        return number

    def _queue(self, folder: Folder, kind: str, what: object, former: bytes) -> None:
        number = self._number(folder)
        self._todo.append((kind, number, what, former))

    def _deal_with(self, result: Result) -> None:
        match result:
            case ("found", number, *fields):
                self._found(self._folders.pop(number), JobResult(*fields))
            case ("slices", number, names):
                self._sliced(self._folders.pop(number), names)
            case ("unlisted", number, problem):
                self._drop(self._folders.pop(number), problem)
            case ("stored", key, sequence, ids, size, added):
                self._tally.added(added)
                self._tally.advanced(size)
                self._finish_large(self._large.stored(key, sequence, ids, size))
            case ("unread", key, sequence, problem):
                self._finish_large(self._large.unread(key, sequence, problem))

    def _probed(self, numbers: list[int], same: Same) -> None:
        below = dict(same)
        for number in numbers:
            folder = self._folders.pop(number)
            names = below.get(number)
            if names is None:
                self._queue(folder, "folder", folder.path, folder.former)
                continue
            folder.is_same = True
            folder.waiting = 1
            for name in names:
                self._open_folder(Folder(folder.path_of(name), folder, name=name))
            self._release(folder)
        self._tally.passed()

    def _sliced(self, folder: Folder, names: list[bytes]) -> None:
        """A folder of very many entries: each slice is a job of its own."""
        starts = range(0, len(names), SLICE_ENTRIES)
        folder.parts = [b""] * len(starts)
        folder.waiting = len(starts)
        for slot, start in enumerate(starts):
            piece = Folder(folder.path, folder, slot, is_splice=True, former=folder.former)
            piece.below = folder.below
            chosen = names[start : start + SLICE_ENTRIES]
            entries = [(name, folder.path_of(name)) for name in chosen]
            self._queue(piece, "entries", entries, folder.former)

    def _found(self, folder: Folder, found: JobResult) -> None:
        folder.parts, folder.entries = found.parts, found.entries
        folder.fingerprint = found.fingerprint
        folder.is_flawed |= not found.fingerprint
        self._last_entries = max(len(found.parts), len(found.done))
        self._tally.note(found.problems, folder)
        self._tally.files(folder, found.done)
        self._tally.added(found.added)
        folder.waiting = 1
        for slot, name, is_new, former_ids in found.large:
            path = folder.path_of(name)
            self._large.add(LargeFile(folder, slot, name, path, is_new, former_ids))
            folder.waiting += 1
        for slot, name, former in found.folders:
            if name in folder.below:
                folder.fill(slot, folder.below[name])
            else:
                self._open_folder(Folder(folder.path_of(name), folder, slot, name, former))
        self._release(folder)

    def _finish_large(self, file: LargeFile | None) -> None:
        if file is None:
            return
        node, folder = file.finish(), file.owner
        if not isinstance(folder, Folder):
            raise TypeError("owner")
        self._tally.note(file.problems, folder)
        if node:
            folder.parts[file.position] = node
            self._tally.files(folder, [(file.name, file.state, file.size)], advance=False)
        else:
            folder.leave_out(file.position)
        self._release(folder)

    def _release(self, folder: Folder) -> None:
        """One thing less to wait for; store what is complete by that, up to the root."""
        current: Folder | None = folder
        while current is not None:
            current.waiting -= 1
            if current.waiting:
                return
            current = self._complete(current)

    def _complete(self, folder: Folder) -> Folder | None:
        """A folder's end; returns the one above, which waits for it."""
        above, record = folder.above, folder.record
        if folder.is_splice and above is not None:
            above.parts[folder.slot] = b",".join(filter(None, folder.parts))
            above.slices[folder.slot] = folder.fingerprint
            above.entries += folder.entries
            above.is_flawed |= folder.is_flawed
            above.files, above.size = above.files + folder.files, above.size + folder.size
            return above
        if folder.is_same and folder.is_dirty:
            folder.is_same = False
            self._queue(folder, "folder", folder.path, folder.former)
            return None
        tree_id = self._tree_of(folder)
        self._remember(folder, tree_id)
        if above is None:
            self._root_id = tree_id
            return None
        self.count.directories += 1
        if above.is_same:
            above.below[folder.name] = tree_id
            above.is_dirty |= record is None or record.tree != tree_id
        else:
            above.fill(folder.slot, tree_id)
        return above

    def _tree_of(self, folder: Folder) -> bytes:
        record = folder.record
        if folder.is_same and record is not None:
            self._tally.unchanged(record.files, record.size)
            folder.files, folder.size = record.files, record.size
            folder.fingerprint = record.fingerprint
            return record.tree
        if folder.slices and not folder.is_planned:
            prints = [folder.slices[slot] for slot in sorted(folder.slices)]
            folder.fingerprint = self._print.of_slices(prints)
        nodes = b",".join(filter(None, folder.parts))
        if folder.above is None and not nodes:
            raise SourceError("Nothing could be read, so no snapshot was made.")
        known = b"" if record is None else record.tree
        tree = b'{"nodes":[' + nodes + b"]}\n"
        return self.store.add(tree, entries=folder.entries, known=known)

    def _remember(self, folder: Folder, tree_id: bytes) -> None:
        print_ = NO_FINGERPRINT if folder.is_flawed else folder.fingerprint or NO_FINGERPRINT
        self.records.add(FolderRecord(folder.key, print_, tree_id, folder.files, folder.size))
        for key in self._former.lone if folder.above is None else ():
            self.records.add(FolderRecord(key, NO_FINGERPRINT, tree_id, 0, 0))

    def _drop(self, folder: Folder, problem: Problem) -> None:
        """A folder that cannot be listed stays out of the one above."""
        above = folder.above
        if above is None:
            raise SourceError("Nothing could be read, so no snapshot was made.")
        self._tally.note([problem], above)
        if above.is_same:
            above.below[folder.name] = b""
            above.is_dirty = True
        else:
            above.fill(folder.slot, b"")
        self._release(above)
