"""Runs a restore: walks trees, makes folders, passes files to the file restorer."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nightsafe.errors import DamagedError
from nightsafe.file_restorer.file_restorer import FileRestorer
from nightsafe.file_restorer.file_writer import describe
from nightsafe.file_restorer.finisher import Listener
from nightsafe.progress import FileDone, Observer, ignore
from nightsafe.repofile.node_check import NodeChecker
from nightsafe.repofile.snapshot import Snapshot
from nightsafe.repofile.tree import Node
from nightsafe.repository.blob_reader import BlobReader
from nightsafe.repository.locks import hold_lock
from nightsafe.repository.repository import Repository
from nightsafe.repository.tree_walker import PathSelection, Selection, find_folder, require_found
from nightsafe.restorer.completeness import Completeness
from nightsafe.restorer.existing import ExistingEntries
from nightsafe.restorer.extraneous import ExtraneousEntries
from nightsafe.restorer.options import RestoreOptions, RestoreReport
from nightsafe.restorer.report import RestoreReporter
from nightsafe.restorer.special_entries import restore_special
from nightsafe.restorer.tree_filter import FilteredTree, TreeFilter
from nightsafe.restorer.verify import Verifier
from nightsafe.target.folder_ref import FolderRef
from nightsafe.target.leftovers import TargetLock
from nightsafe.target.target import Target, raise_if_full
from nightsafe.workers.pool import worker_count

FILES_AT_ONCE = 1000


def restore(
    repository: Repository,
    snapshot: Snapshot,
    target: bytes,
    *,
    include: Iterable[bytes] = (),
    selection: Selection | None = None,
    options: RestoreOptions | None = None,
    observer: Observer = ignore,
) -> RestoreReport:
    """Restore a snapshot, or the paths in `include` or `selection`, below the folder `target`.

    Entries that cannot be restored are issues of the report. TargetFullError if the disk is full,
    RestoreError if the target cannot be used or nothing is selected, and the storage's errors.
    """
    started = time.monotonic()
    selection = selection or PathSelection(include)
    report = RestoreReport()
    options = options or RestoreOptions()
    with hold_lock(repository, optional=True, settle_later=True) as lock:
        repository.load_index()
        if lock is not None:
            lock.settle()
        tree = find_folder(
            BlobReader(repository),
            snapshot.tree,
            options.folder,
            advice="For a single file use --include.",
        )
        run = TreeRestorer(repository, target, selection, options, report, observer)
        run.restore(tree, snapshot)
        if options.verify and not options.dry_run:
            report.verified = run.verify(tree)
    found = report.files + report.directories + report.others + report.skipped
    require_found(found + len(report.issues), selection)
    report.seconds = time.monotonic() - started
    return report


@dataclass
class _Folder:
    """A folder being restored: `node` is None at the root, `ref` until the folder is made.

    It `is_ready` when it is made and everything was removed from it that has to be.
    """

    path: bytes
    node: Node | None
    entries: FilteredTree
    todo: Iterator[Node]
    ref: FolderRef | None = None
    is_new: bool = False
    is_ready: bool = False


class TreeRestorer:
    def __init__(
        self,
        repository: Repository,
        target: bytes,
        selection: Selection,
        options: RestoreOptions,
        report: RestoreReport,
        observer: Observer,
    ) -> None:
        self._index, self._target_path = repository.index, target
        self._report = report
        self._reporter = RestoreReporter(report, observer)
        self._reader = BlobReader(repository)
        self._selection = selection
        self._options = options
        self._observer = observer
        self._target = Target(target, read_only=options.dry_run, clears=options.delete)
        self._fold = self._target.fold()
        self._filter = self._filter_for(self._reporter)
        self._node_checker = NodeChecker(repository.index)
        self._existing = ExistingEntries(self._target, options, repository.index)
        self._files: FileRestorer | None = None
        self._claim: TargetLock | None = None
        if self._target.here is not None and not options.dry_run:
            self._claim = TargetLock(self._target.here)
            workers = worker_count(options.workers)
            self._files = FileRestorer(
                repository,
                target,
                reader=self._reader,
                listener=self._reporter,
                workers=workers,
                clears=options.delete,
            )
        self._extraneous: ExtraneousEntries | None = None

    def verify(self, tree: bytes) -> int:
        """Read back what was restored; returns the number of correct files."""
        failed = {issue.path for issue in self._report.issues if issue.is_failure}
        verifier = Verifier(
            self._index,
            self._target_path,
            self._selection,
            tree_filter=self._filter_for(Listener()),
            listener=self._reporter,
        )
        return verifier.verify(tree, skip=failed)

    def _filter_for(self, listener: Listener) -> TreeFilter:
        """Return a filter of trees for this target that reports to a listener."""
        return TreeFilter(
            self._reader, selection=self._selection, fold=self._fold, listener=listener
        )

    def restore(self, tree: bytes, snapshot: Snapshot) -> None:
        """Walk depth first; folders are finished when they are left."""
        try:
            if self._options.delete:
                names = filter(None, self._options.folder.split(b"/"))
                self._extraneous = ExtraneousEntries(
                    Completeness(self._reader, snapshot),
                    below=b"".join(b"/" + name for name in names),
                    selection=self._selection,
                    fold=self._fold,
                    dry_run=self._options.dry_run,
                )
            self._walk(tree)
            if self._files is not None:
                self._files.finish()
        except BaseException:
            if self._files is not None:
                self._files.abort()
            raise
        else:
            if self._files is not None:
                self._files.close()
        finally:
            self._target.close()
            if self._claim is not None:
                self._claim.close()

    def _walk(self, tree: bytes) -> None:
        stack = [self._folder(b"", None, tree, self._target.ref(b""))]
        self._add_files(stack[0])
        while stack:
            folder = stack[-1]
            node = next(folder.todo, None)
            if node is None:
                self._leave(stack.pop())
                continue
            path = folder.path + b"/" + node.name
            if node.type == "dir":
                if self._selection.may_contain(path):
                    stack.append(self._folder(path, node, node.subtree))
                    if self._selection.includes(path):
                        if self._make(stack):
                            self._add_files(stack[-1])
                        else:
                            stack.pop()
            elif self._selection.includes(path):
                if node.type == "socket":
                    self._reporter.passed_over(
                        path, "only the program that listens at a socket makes it"
                    )
                elif self._make(stack):
                    self._entry(stack[-1], path, node)

    def _folder(
        self,
        path: bytes,
        node: Node | None,
        tree: bytes | None,
        ref: FolderRef | None = None,
    ) -> _Folder:
        entries = self._filter.filter_tree(path, tree)
        return _Folder(path, node, entries, iter(entries.nodes), ref)

    def _add_files(self, folder: _Folder) -> None:
        """Pass many files on at once if none needs a decision of its own.

        The folder's other entries remain to be done.
        """
        is_free = folder.is_new or self._options.overwrite == "always"
        if self._files is None or folder.ref is None:
            return
        if not (is_free and self._selection.includes_all):
            return
        files = [node for node in folder.entries.nodes if node.type == "file"]
        if not files or not self._make([folder]):
            return
        others = [node for node in folder.entries.nodes if node.type != "file"]
        if not folder.is_new:
            there = self._target.names()
            standing = [node for node in files if node.name in there]
            others += self._files.compare(folder.ref, standing)
            files = [node for node in files if node.name not in there]
        for start in range(0, len(files), FILES_AT_ONCE):
            part = files[start : start + FILES_AT_ONCE]
            others += self._files.add_files(folder.ref, part)
            self._files.pump()
        folder.todo = iter(others)

    def _clear(self, folder: _Folder) -> None:
        """Remove partial files of killed restores from a folder that existed before."""
        if self._claim is None or self._target.here is None or folder.is_new:
            return
        names = {node.name for node in folder.entries.nodes}
        for name in self._claim.clear(self._target.here, keep=names):
            self._reporter.cleared(folder.path + b"/" + name)

    def _delete(self, folder: _Folder) -> None:
        """Remove extraneous entries from a folder that existed before."""
        if self._extraneous is not None and not folder.is_new:
            self._extraneous.remove(folder.path, folder.entries, self._target.here, self._reporter)

    def _make(self, stack: list[_Folder]) -> bool:
        """Make the folders of the stack that are missing; False if that fails.

        All but the last are only on the way to it: a file in their place is not replaced.
        """
        for number, folder in enumerate(stack):
            if folder.is_ready:
                continue
            is_on_the_way = number < len(stack) - 1
            if folder.ref is None and not self._enter(folder, replaces=not is_on_the_way):
                # What lies right in a folder on the way may still come, and replaces the file.
                hopeless = stack[number + 1 :] if is_on_the_way else [folder]
                for inner in hopeless:
                    inner.todo = iter(())
                return False
            folder.is_ready = True
            self._clear(folder)
            self._delete(folder)
        return True

    def _enter(self, folder: _Folder, *, replaces: bool) -> bool:
        """Enter a folder of the target, made if need be; False, and an issue, if that fails."""
        if folder.node is None:
            return True
        try:
            folder.is_new = self._existing.enter(folder.node, replaces=replaces)
        except OSError as error:
            raise_if_full(error)
            obstacle = self._existing.obstacle(folder.node, replaces=replaces)
            reason = obstacle or (error.strerror or "").lower()
            self._reporter.failed(folder.path, f"the folder cannot be made: {reason}")
            return False
        folder.ref = self._target.ref(folder.path[1:])
        self._report.directories += 1
        return True

    def _leave(self, folder: _Folder) -> None:
        if folder.ref is not None and folder.node is not None:
            self._target.leave()
            if self._files is not None:
                self._files.finish_folder(folder.ref, folder.node, is_new=folder.is_new)
        if self._files is not None:
            self._files.pump()

    def _entry(self, folder: _Folder, path: bytes, node: Node) -> None:
        fault = self._node_checker.fault(node)
        if fault is None or not fault.is_fatal:
            self._restore_entry(folder, path, node)
        if fault is not None:
            finish_folder = "it was not restored" if fault.is_fatal else "it is not whole"
            self._reporter.failed(path, f"{finish_folder}: {fault.text}")

    def _restore_entry(self, folder: _Folder, path: bytes, node: Node) -> None:
        here = self._target.here
        if folder.ref is None:
            return
        try:
            if not folder.is_new and self._is_kept(folder.ref, node):
                self._report.skipped += 1
                self._observer(FileDone(path, "unchanged"))
            elif self._files is None or here is None:
                self._existing.require_replaceable(node)
                self._count(path, node)
            elif node.type == "file":
                stands = not folder.is_new and self._target.status(node.name) is not None
                if stands and not self._files.compare(folder.ref, [node]):
                    return
                self._files.add_file(folder.ref, node.name, node, folder=here)
            else:
                restore_special(self._target, self._existing, self._reporter, path, node)
                self._report.others += 1
        except DamagedError as error:
            self._reporter.failed(path, f"it was not restored. {error}")
        except (OSError, OverflowError, ValueError) as error:
            self._reporter.failed(path, describe(error))

    def _is_kept(self, ref: FolderRef, node: Node) -> bool:
        """Whether an existing entry is kept; sets its attributes if it may have changed."""
        status, here = self._existing.kept_status(node), self._target.here
        if status is None or here is None:
            return self._options.dry_run and self._existing.holds(node)
        if self._files is None or self._options.overwrite != "if-changed":
            return True
        return self._files.keep(ref, node, status, folder=here)

    def _count(self, path: bytes, node: Node) -> None:
        if node.type != "file":
            self._report.others += 1
            return
        self._report.bytes += node.size
        self._reporter.restored([(path, "restored", node.size)])
