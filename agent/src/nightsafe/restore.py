"""Restoring: trees are walked, folders made, and files handed to the delivery."""

import stat
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from nightsafe.delivery import Delivery, Listener
from nightsafe.directory import are_safe_names, is_regular, refusal
from nightsafe.errors import DamagedError, UsageError
from nightsafe.extras import Extras
from nightsafe.fetch import BlobReader
from nightsafe.locks import hold
from nightsafe.plan import Place
from nightsafe.porters import default_workers
from nightsafe.progress import Advanced, Event, FileDone, FilesDone, Issue, Observer, ignore
from nightsafe.repository import Repository
from nightsafe.snapshot import Snapshot
from nightsafe.target import Target, raise_if_full
from nightsafe.tree import Node
from nightsafe.verify import Verifier, differs
from nightsafe.walk import Chosen, Selection, find_folder, require_found
from nightsafe.writer import describe

OVERWRITE = ("always", "if-changed", "if-newer", "never")
_FILES_AT_ONCE = 1000
_SPECIAL = {"dev": stat.S_IFBLK, "chardev": stat.S_IFCHR, "fifo": stat.S_IFIFO}


@dataclass(frozen=True)
class RestoreOptions:
    """How to restore.

    `overwrite`: what happens to what stands in the way: `always` replaced, `if-changed` unless
    it has the same size and time, `if-newer` when the snapshot's is newer, or `never`.
    `delete` removes from restored folders what the snapshot does not hold. `verify` reads back
    what was written. `dry_run` changes nothing. `folder` is restored instead of the whole
    snapshot, without the folders above it. `workers` is the number of processes; None fits
    this computer.
    """

    overwrite: str = "always"
    delete: bool = False
    verify: bool = False
    dry_run: bool = False
    folder: bytes = b""
    workers: int | None = None

    def __post_init__(self) -> None:
        if self.overwrite not in OVERWRITE:
            raise UsageError(f"Overwriting is one of {', '.join(OVERWRITE)}.")


@dataclass
class RestoreReport:
    """What a restore did."""

    files: int = 0
    directories: int = 0
    others: int = 0
    skipped: int = 0
    deleted: int = 0
    verified: int = 0
    bytes: int = 0
    seconds: float = 0.0
    issues: list[Issue] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether everything that was asked for was restored."""
        return not any(issue.is_failure for issue in self.issues)


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
        tree = find_folder(BlobReader(repository), snapshot.tree, options.folder)
        run = _Restorer(repository, target, selection, options, report, observer)
        run.restore(tree, snapshot)
        if options.verify and not options.dry_run:
            known = {issue.path for issue in report.issues if issue.is_failure}
            verifier = Verifier(repository, target, selection, _Report(report, observer))
            report.verified = verifier.verify(tree, known=known)
    found = report.files + report.directories + report.others + report.skipped
    require_found(found + len(report.issues), selection)
    report.seconds = time.monotonic() - started
    return report


class _Report(Listener):
    """Counts, and tells the observer."""

    def __init__(self, report: RestoreReport, observer: Observer) -> None:
        self._report = report
        self._observer = observer

    def restored(self, files: list[tuple[bytes, str, int]]) -> None:
        self._report.files += len(files)
        self._observer(FilesDone(files, bytes))

    def advanced(self, size: int) -> None:
        self._report.bytes += size
        self._observer(Advanced(size))

    def noted(self, path: bytes, text: str) -> None:
        self._issue(Issue("metadata", path, f"could not set its {text}"))

    def failed(self, path: bytes, text: str) -> None:
        self._issue(Issue("failed", path, text))

    def _issue(self, issue: Issue) -> None:
        self._report.issues.append(issue)
        event: Event = issue
        self._observer(event)


@dataclass
class _Folder:
    """A folder on the way: `node` is None at the root, `place` until it is made."""

    path: bytes
    node: Node | None
    nodes: list[Node]
    todo: Iterator[Node]
    place: Place | None = None
    is_new: bool = False


class _Restorer:
    def __init__(
        self,
        repository: Repository,
        target: bytes,
        selection: Chosen,
        options: RestoreOptions,
        report: RestoreReport,
        observer: Observer,
    ) -> None:
        self._report = report
        self._tell = _Report(report, observer)
        self._reader = BlobReader(repository)
        self._selection = selection
        self._options = options
        self._index = repository.index
        self._observer = observer
        self._target = Target(target, looks=options.dry_run)
        self._fold = self._target.fold()
        self._delivery: Delivery | None = None
        if not options.dry_run:
            workers = default_workers() if options.workers is None else options.workers
            self._delivery = Delivery(
                repository, target, reader=self._reader, listener=self._tell, workers=workers
            )
        self._extras: Extras | None = None

    def restore(self, tree: bytes, snapshot: Snapshot) -> None:
        """Depth first; files are completed by the delivery, folders when they are left."""
        try:
            if self._options.delete:
                self._extras = Extras(
                    snapshot.paths,
                    self._reader.load_tree(snapshot.tree),
                    below=b"/" + folder if (folder := self._options.folder.strip(b"/")) else b"",
                    chosen=self._selection,
                    fold=self._fold,
                )
            self._walk(tree)
            if self._delivery is not None:
                self._delivery.finish()
        except BaseException:
            if self._delivery is not None:
                self._delivery.abort()
            raise
        else:
            if self._delivery is not None:
                self._delivery.close()
        finally:
            self._target.close()

    def _walk(self, tree: bytes) -> None:
        stack = [self._folder(b"", None, tree, self._target.place(b""))]
        self._delete(stack[0])
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
            elif self._selection.wants(path) and self._make(stack):
                self._entry(stack[-1], path, node)

    def _folder(
        self, path: bytes, node: Node | None, tree: bytes | None, place: Place | None = None
    ) -> _Folder:
        nodes = self._entries(path, tree)
        return _Folder(path, node, nodes, iter(nodes), place)

    def _take_files(self, folder: _Folder) -> None:
        """Hand over many files at once where nothing has to be asked about each of them.

        What is left to do is the rest.
        """
        is_free = folder.is_new or self._options.overwrite == "always"
        if self._delivery is None or folder.place is None:
            return
        if not (is_free and self._selection.wants_all):
            return
        files = [node for node in folder.nodes if node.type == "file"]
        others = [node for node in folder.nodes if node.type != "file"]
        for start in range(0, len(files), _FILES_AT_ONCE):
            part = files[start : start + _FILES_AT_ONCE]
            others += self._delivery.files(folder.place, part)
            self._delivery.pump()
        folder.todo = iter(others)

    def _delete(self, folder: _Folder) -> None:
        """Remove from a folder that was there before what the snapshot does not hold."""
        if self._extras is None or folder.is_new:
            return
        here = self._target.here
        for name in self._extras.find(folder.path, folder.nodes, here):
            path = folder.path + b"/" + name
            try:
                if here is not None and not self._options.dry_run:
                    here.remove(name)
                self._report.deleted += 1
                self._observer(FileDone(path, "deleted"))
            except OSError as error:
                self._tell.failed(path, f"it was not deleted: {(error.strerror or '').lower()}")

    def _make(self, stack: list[_Folder]) -> bool:
        """Make the folders on the way that are not made yet; False if that is not possible."""
        if stack[-1].place is not None:
            return True
        for number, folder in enumerate(stack):
            if folder.place is None and folder.node is not None:
                try:
                    folder.is_new = self._target.enter(folder.node.name)
                except OSError as error:
                    raise_if_full(error)
                    reason = (error.strerror or "").lower()
                    self._tell.failed(folder.path, f"the folder cannot be made: {reason}")
                    stack[number].todo = iter(())
                    return False
                folder.place = self._target.place(folder.path[1:])
                self._report.directories += 1
                self._delete(folder)
        return True

    def _leave(self, folder: _Folder) -> None:
        if folder.place is not None and folder.node is not None:
            self._target.leave()
            if self._delivery is not None:
                self._delivery.left(folder.place, folder.node)
        if self._delivery is not None:
            self._delivery.pump()

    def _entries(self, path: bytes, tree: bytes | None) -> list[Node]:
        """A tree's nodes, without those whose names are not to be trusted."""
        if tree is None:
            self._tell.failed(path, "the snapshot does not say what is in it")
            return []
        try:
            nodes = self._reader.load_tree(tree)
        except DamagedError as error:
            self._tell.failed(path, f"what is in it is lost. {error}")
            return []
        names = [node.name for node in nodes]
        if are_safe_names(names) and len(set(map(self._fold, names))) == len(names):
            return nodes
        return list(self._sound(path, nodes))

    def _sound(self, path: bytes, nodes: list[Node]) -> Iterator[Node]:
        """Those of the nodes that can be made; of the others it is said why not."""
        seen: dict[bytes, bytes] = {}
        for node in nodes:
            problem = refusal(node.name) or self._clash(path, node.name, seen)
            if problem:
                self._tell.failed(path, problem)
            else:
                yield node

    def _clash(self, path: bytes, name: bytes, seen: dict[bytes, bytes]) -> str:
        """Why a name cannot stand beside those that were `seen`, to which it is added."""
        inner = path + b"/" + name
        if not (self._selection.wants(inner) or self._selection.leads_to(inner)):
            return ""
        first = seen.get(key := self._fold(name))
        if first is None:
            seen[key] = name
            return ""
        if first == name:
            return f"the name {name[:80]!a} is not allowed there twice; only the first was restored"
        return (
            f"{name[:80]!a} was not restored: to this disk its name is the same as {first[:80]!a}, "
            "which was. Restore it by itself, with --include, into another folder"
        )

    def _entry(self, folder: _Folder, path: bytes, node: Node) -> None:
        here = self._target.here
        if folder.place is None:
            return
        try:
            if not folder.is_new and self._stays(node):
                self._report.skipped += 1
                self._observer(FileDone(path, "unchanged"))
            elif self._delivery is None or here is None:
                self._count(path, node)
            elif node.type == "file":
                self._delivery.file(folder.place, node.name, node, folder=here)
            else:
                self._restore_special(path, node)
                self._report.others += 1
        except DamagedError as error:
            self._tell.failed(path, f"it was not restored. {error}")
        except (OSError, OverflowError, ValueError) as error:
            self._tell.failed(path, describe(error))

    def _count(self, path: bytes, node: Node) -> None:
        if node.type != "file":
            self._report.others += 1
            return
        self._report.bytes += node.size
        self._tell.restored([(path, "restored", node.size)])

    def _stays(self, node: Node) -> bool:
        """Whether what stands in the way stays, as the options want it."""
        here = self._target.here
        status = self._target.status(node.name) if self._options.overwrite != "always" else None
        if status is None or here is None:
            return False
        match self._options.overwrite:
            case "never":
                return True
            case "if-newer":
                return node.mtime <= status.st_mtime_ns
        is_alike = node.type == "file" and is_regular(status)
        if not is_alike or (status.st_size, status.st_mtime_ns) != (node.size, node.mtime):
            return False
        if not self._options.verify:
            return True
        return not differs(node.name, node, folder=here, index=self._index)

    def _restore_special(self, path: bytes, node: Node) -> None:
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
