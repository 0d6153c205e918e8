"""The folders of a running backup: opened from the top down, completed from the bottom up.

A folder's tree is stored as soon as everything below it is known, so that few folders are in memory
at a time.
"""

from nightsafe.archiver.folder import Folder
from nightsafe.archiver.parent_lookup import ParentLookup
from nightsafe.archiver.stats import BackupStats
from nightsafe.archiver.tree_saver import TreeSaver
from nightsafe.errors import SourceError
from nightsafe.file_saver.job_runner import Job
from nightsafe.file_saver.large_files import LargeFile
from nightsafe.file_saver.node_json import encode_planned
from nightsafe.file_saver.worker import JobResult
from nightsafe.repofile.tree import encode_tree
from nightsafe.scanner.fingerprint import Fingerprint
from nightsafe.scanner.lister import SLICE_ENTRIES, Probe, Problem, Unchanged, problem_of
from nightsafe.scanner.parent_tree import ParentTree
from nightsafe.scanner.sources import SourcePlan
from nightsafe.scanner.tree_cache import NO_FINGERPRINT, CacheWriter, FolderRecord


class FolderTracker:
    """Knows every folder that is open, by a number, and what it waits for.

    `todo` are the jobs that no worker has yet, `probes` the folders that are to be compared with
    what the last backup found; whoever runs the backup takes from both. `records` is what the next
    backup will compare with.
    """

    def __init__(
        self,
        former: ParentLookup,
        stats: BackupStats,
        store: TreeSaver,
        fingerprint: Fingerprint,
    ) -> None:
        self.todo: list[Job] = []
        self.probes: list[Probe] = []
        self.records = CacheWriter()
        self.root_id = b""
        self._former = former
        self._stats = stats
        self._store = store
        self._print = fingerprint
        self._folders: dict[int, Folder] = {}
        self._next_number = 0

    def open_root(self, plan: SourcePlan, parent: bytes) -> None:
        """Open the root and all that is only on the way to what was asked for."""
        self._open_planned(Folder(b"", None, former=parent, is_planned=True), plan)

    def take(self, number: int) -> Folder:
        """The folder of that number, which no job is about any more."""
        return self._folders.pop(number)

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
        self.release(folder)

    def _open_child(
        self, folder: Folder, slot: int, name: bytes, plan: SourcePlan, before: ParentTree
    ) -> None:
        path = plan.meta_path if plan.path is None else plan.path
        problems: list[Problem] = []
        try:
            node = encode_planned(name, path, problems, is_leaf=plan.path is not None)
        except OSError as error:
            self._stats.note([*problems, problem_of(path, error)], folder)
            return
        self._stats.note(problems, folder)
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
        self.probes.append((number, folder.path, folder.record.fingerprint))

    def _number(self, folder: Folder) -> int:
        number, self._next_number = self._next_number, self._next_number + 1
        self._folders[number] = folder
        return number

    def _queue(self, folder: Folder, kind: str, what: object, former: bytes) -> None:
        number = self._number(folder)
        self.todo.append((kind, number, what, former))

    def probed(self, numbers: list[int], same: Unchanged) -> None:
        """Take up folders that were compared; those that are `same` need not be read."""
        below = dict(same)
        for number in numbers:
            folder = self.take(number)
            names = below.get(number)
            if names is None:
                self._queue(folder, "folder", folder.path, folder.former)
                continue
            folder.is_same = True
            folder.waiting = 1
            for name in names:
                self._open_folder(Folder(folder.path_of(name), folder, name=name))
            self.release(folder)
        self._stats.passed()

    def slice(self, folder: Folder, names: list[bytes]) -> None:
        """Make jobs of the slices of a folder of very many entries."""
        starts = range(0, len(names), SLICE_ENTRIES)
        folder.parts = [b""] * len(starts)
        folder.waiting = len(starts)
        for slot, start in enumerate(starts):
            piece = Folder(folder.path, folder, slot, is_splice=True, former=folder.former)
            piece.below = folder.below
            chosen = names[start : start + SLICE_ENTRIES]
            entries = [(name, folder.path_of(name)) for name in chosen]
            self._queue(piece, "entries", entries, folder.former)

    def found(self, folder: Folder, found: JobResult) -> list[LargeFile]:
        """Take up what a worker found in a folder; returns its large files, still to be read."""
        folder.parts, folder.entries = found.parts, found.entries
        folder.fingerprint = found.fingerprint
        folder.is_flawed |= not found.fingerprint
        self._stats.note(found.problems, folder)
        self._stats.files(folder, found.done)
        self._stats.added(found.added)
        large = [
            LargeFile(folder, slot, name, folder.path_of(name), is_new, former_ids)
            for slot, name, is_new, former_ids in found.large
        ]
        folder.waiting = 1 + len(large)
        for slot, name, former in found.folders:
            if name in folder.below:
                folder.fill(slot, folder.below[name])
            else:
                self._open_folder(Folder(folder.path_of(name), folder, slot, name, former))
        self.release(folder)
        return large

    def release(self, folder: Folder) -> None:
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
            self.root_id = tree_id
            return None
        self._stats.count.directories += 1
        if above.is_same:
            above.below[folder.name] = tree_id
            above.is_dirty |= record is None or record.tree != tree_id
        else:
            above.fill(folder.slot, tree_id)
        return above

    def _tree_of(self, folder: Folder) -> bytes:
        record = folder.record
        if folder.is_same and record is not None:
            self._stats.unchanged(record.files, record.size)
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
        tree = encode_tree(nodes)
        return self._store.add(tree, entries=folder.entries, known=known)

    def _remember(self, folder: Folder, tree_id: bytes) -> None:
        print_ = NO_FINGERPRINT if folder.is_flawed else folder.fingerprint or NO_FINGERPRINT
        self.records.add(FolderRecord(folder.key, print_, tree_id, folder.files, folder.size))
        for key in self._former.lone if folder.above is None else ():
            self.records.add(FolderRecord(key, NO_FINGERPRINT, tree_id, 0, 0))

    def drop(self, folder: Folder, problem: Problem) -> None:
        """A folder that cannot be listed stays out of the one above."""
        above = folder.above
        if above is None:
            raise SourceError("Nothing could be read, so no snapshot was made.")
        self._stats.note([problem], above)
        if above.is_same:
            above.below[folder.name] = b""
            above.is_dirty = True
        else:
            above.fill(folder.slot, b"")
        self.release(above)
