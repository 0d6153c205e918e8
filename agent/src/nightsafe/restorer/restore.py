"""Runs one restore: walks trees, makes folders, hands files to the file restorer."""

import stat
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nightsafe.errors import DamagedError
from nightsafe.file_restorer.file_restorer import FileRestorer
from nightsafe.file_restorer.file_writer import describe
from nightsafe.file_restorer.finisher import Listener
from nightsafe.progress import FileDone, Observer, ignore
from nightsafe.repofile.node_check import Judge
from nightsafe.repofile.snapshot import Snapshot
from nightsafe.repofile.tree import Node
from nightsafe.repository.blob_reader import BlobReader
from nightsafe.repository.locks import hold
from nightsafe.repository.repository import Repository
from nightsafe.repository.tree_walker import Chosen, Selection, find_folder, require_found
from nightsafe.restorer.completeness import Completeness
from nightsafe.restorer.existing import ExistingEntries
from nightsafe.restorer.extraneous import ExtraneousEntries
from nightsafe.restorer.options import RestoreOptions, RestoreReport
from nightsafe.restorer.report import RestoreReporter
from nightsafe.restorer.tree_filter import FilteredTree, TreeFilter
from nightsafe.restorer.verify import Verifier
from nightsafe.target.leftovers import RestoreClaim
from nightsafe.target.place import Place
from nightsafe.target.target import Target, raise_if_full
from nightsafe.workers.pool import worker_count

FILES_AT_ONCE = 1000
_SPECIAL = {"dev": stat.S_IFBLK, "chardev": stat.S_IFCHR, "fifo": stat.S_IFIFO}


def restore(
    repository: Repository,
    snapshot: Snapshot,
    target: bytes,
    *,
    include: Iterable[bytes] = (),
    chosen: Chosen | None = None,
    options: RestoreOptions | None = None,
    observer: Observer = ignore,
) -> RestoreReport:
    """Restore a snapshot, or the paths in `include` or `chosen`, below the folder `target`.

    Entries that cannot be restored are issues of the report. TargetFullError when the disk is
    full, RestoreError when the target cannot be used or nothing is included, and the
    storage's errors.
    """
    started = time.monotonic()
    selection = chosen or Selection(include)
    report = RestoreReport()
    options = options or RestoreOptions()
    with hold(repository, optional=True, settle_later=True) as lock:
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
    """A folder on the way: `node` is None at the root, `place` until it is made.

    It `is_ready` when it is made and holds nothing that has to go.
    """

    path: bytes
    node: Node | None
    held: FilteredTree
    todo: Iterator[Node]
    place: Place | None = None
    is_new: bool = False
    is_ready: bool = False


class TreeRestorer:
    def __init__(
        self,
        repository: Repository,
        target: bytes,
        selection: Chosen,
        options: RestoreOptions,
        report: RestoreReport,
        observer: Observer,
    ) -> None:
        self._index, self._target_path = repository.index, target
        self._report = report
        self._tell = RestoreReporter(report, observer)
        self._reader = BlobReader(repository)
        self._selection = selection
        self._options = options
        self._observer = observer
        self._target = Target(target, looks=options.dry_run, clears=options.delete)
        self._fold = self._target.fold()
        self._filter = self._filter_for(self._tell)
        self._judge = Judge(repository.index)
        self._existing = ExistingEntries(self._target, options, repository.index)
        self._files: FileRestorer | None = None
        self._claim: RestoreClaim | None = None
        if self._target.here is not None and not options.dry_run:
            self._claim = RestoreClaim(self._target.here)
            workers = worker_count(options.workers)
            self._files = FileRestorer(
                repository,
                target,
                reader=self._reader,
                listener=self._tell,
                workers=workers,
                clears=options.delete,
            )
        self._extraneous: ExtraneousEntries | None = None

    def verify(self, tree: bytes) -> int:
        """Read back what was restored; returns how many files are as they should be."""
        known = {issue.path for issue in self._report.issues if issue.is_failure}
        verifier = Verifier(
            self._index,
            self._target_path,
            self._selection,
            sieve=self._filter_for(Listener()),
            listener=self._tell,
        )
        return verifier.verify(tree, known=known)

    def _filter_for(self, listener: Listener) -> TreeFilter:
        """What reads trees for this target, and tells a listener what is wrong with them."""
        return TreeFilter(self._reader, chosen=self._selection, fold=self._fold, listener=listener)

    def restore(self, tree: bytes, snapshot: Snapshot) -> None:
        """Depth first; files are completed by the file restorer, folders when they are left."""
        try:
            if self._options.delete:
                names = filter(None, self._options.folder.split(b"/"))
                self._extraneous = ExtraneousEntries(
                    Completeness(self._reader, snapshot),
                    below=b"".join(b"/" + name for name in names),
                    chosen=self._selection,
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
        stack = [self._folder(b"", None, tree, self._target.place(b""))]
        self._take_files(stack[0])
        while stack:
            folder = stack[-1]
            node = next(folder.todo, None)
            if node is None:
                self._leave(stack.pop())
                continue
            path = folder.path + b"/" + node.name
            if node.type == "dir":
                if self._selection.leads_to(path):
                    stack.append(self._folder(path, node, node.subtree))
                    if self._selection.wants(path):
                        if self._make(stack):
                            self._take_files(stack[-1])
                        else:
                            stack.pop()
            elif self._selection.wants(path):
                if node.type == "socket":
                    self._tell.passed_over(
                        path, "only the program that listens at a socket makes it"
                    )
                elif self._make(stack):
                    self._entry(stack[-1], path, node)

    def _folder(
        self, path: bytes, node: Node | None, tree: bytes | None, place: Place | None = None
    ) -> _Folder:
        held = self._filter.sift(path, tree)
        return _Folder(path, node, held, iter(held.nodes), place)

    def _take_files(self, folder: _Folder) -> None:
        """Hand over many files at once where nothing has to be asked about each of them.

        What is left to do is the rest.
        """
        is_free = folder.is_new or self._options.overwrite == "always"
        if self._files is None or folder.place is None:
            return
        if not (is_free and self._selection.wants_all):
            return
        files = [node for node in folder.held.nodes if node.type == "file"]
        if not files or not self._make([folder]):
            return
        others = [node for node in folder.held.nodes if node.type != "file"]
        if not folder.is_new:
            there = self._target.names()
            standing = [node for node in files if node.name in there]
            others += self._files.compare(folder.place, standing)
            files = [node for node in files if node.name not in there]
        for start in range(0, len(files), FILES_AT_ONCE):
            part = files[start : start + FILES_AT_ONCE]
            others += self._files.files(folder.place, part)
            self._files.pump()
        folder.todo = iter(others)

    def _clear(self, folder: _Folder) -> None:
        """Remove from a folder that was there before what killed restores left in it."""
        if self._claim is None or self._target.here is None or folder.is_new:
            return
        names = {node.name for node in folder.held.nodes}
        for name in self._claim.clear(self._target.here, keep=names):
            self._tell.cleared(folder.path + b"/" + name)

    def _delete(self, folder: _Folder) -> None:
        """Remove from a folder that was there before what the snapshot does not hold."""
        if self._extraneous is not None and not folder.is_new:
            self._extraneous.remove(folder.path, folder.held, self._target.here, self._tell)

    def _make(self, stack: list[_Folder]) -> bool:
        """Make the folders on the way that are not made yet; False if that is not possible."""
        if stack[-1].is_ready:
            return True
        for number, folder in enumerate(stack):
            if folder.is_ready:
                continue
            if folder.place is None and folder.node is not None:
                try:
                    folder.is_new = self._existing.enter(folder.node)
                except OSError as error:
                    raise_if_full(error)
                    reason = (
                        self._existing.obstacle(folder.node.name) or (error.strerror or "").lower()
                    )
                    self._tell.failed(folder.path, f"the folder cannot be made: {reason}")
                    stack[number].todo = iter(())
                    return False
                folder.place = self._target.place(folder.path[1:])
                self._report.directories += 1
            folder.is_ready = True
            self._clear(folder)
            self._delete(folder)
        return True

    def _leave(self, folder: _Folder) -> None:
        if folder.place is not None and folder.node is not None:
            self._target.leave()
            if self._files is not None:
                self._files.left(folder.place, folder.node, is_new=folder.is_new)
        if self._files is not None:
            self._files.pump()

    def _entry(self, folder: _Folder, path: bytes, node: Node) -> None:
        fault = self._judge.fault(node)
        if fault is None or not fault.is_fatal:
            self._bring(folder, path, node)
        if fault is not None:
            left = "it was not restored" if fault.is_fatal else "it is not whole"
            self._tell.failed(path, f"{left}: {fault.text}")

    def _bring(self, folder: _Folder, path: bytes, node: Node) -> None:
        here = self._target.here
        if folder.place is None:
            return
        try:
            if not folder.is_new and self._stays(folder.place, node):
                self._report.skipped += 1
                self._observer(FileDone(path, "unchanged"))
            elif self._files is None or here is None:
                self._existing.require_way(node)
                self._count(path, node)
            elif node.type == "file":
                stands = not folder.is_new and self._target.status(node.name) is not None
                if stands and not self._files.compare(folder.place, [node]):
                    return
                self._files.file(folder.place, node.name, node, folder=here)
            else:
                self._restore_special(path, node)
                self._report.others += 1
        except DamagedError as error:
            self._tell.failed(path, f"it was not restored. {error}")
        except (OSError, OverflowError, ValueError) as error:
            self._tell.failed(path, describe(error))

    def _stays(self, place: Place, node: Node) -> bool:
        """Whether what stands there stays; if it may have changed, its attributes are set."""
        status, here = self._existing.staying(node), self._target.here
        if status is None or here is None:
            return self._options.dry_run and self._existing.holds(node)
        if self._files is None or self._options.overwrite != "if-changed":
            return True
        return self._files.keep(place, node, status, folder=here)

    def _count(self, path: bytes, node: Node) -> None:
        if node.type != "file":
            self._report.others += 1
            return
        self._report.bytes += node.size
        self._tell.restored([(path, "restored", node.size)])

    def _restore_special(self, path: bytes, node: Node) -> None:
        if node.type == "symlink" and self._existing.is_link(node):
            return
        with self._target.new_entry(node.name) as (here, temporary):
            if node.type == "symlink":
                here.make_link(node.link_target, temporary)
            elif node.type in _SPECIAL:
                here.make_special(temporary, _SPECIAL[node.type] | 0o600, node.device)
            else:
                raise ValueError(node.type)
            lost = here.set_of_other(temporary, node)
        if lost:
            self._tell.noted(path, ", ".join(lost))
