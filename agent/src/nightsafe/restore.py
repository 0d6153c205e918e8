"""Restoring: trees are walked, blobs fetched and verified, files written and put in place."""

import os
import stat
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from nightsafe.errors import DamagedError
from nightsafe.fetch import BlobReader
from nightsafe.locks import hold
from nightsafe.metadata import restore_named, restore_open
from nightsafe.pack import BlobKind
from nightsafe.progress import Advanced, Event, FileDone, Issue, Observer, ignore
from nightsafe.repository import Repository
from nightsafe.snapshot import Snapshot
from nightsafe.target import Target, is_safe_name, raise_if_full, write_all
from nightsafe.tree import Node
from nightsafe.walk import Selection, require_found

_SPECIAL = {"dev": stat.S_IFBLK, "chardev": stat.S_IFCHR}


@dataclass
class RestoreReport:
    """What a restore did."""

    files: int = 0
    directories: int = 0
    others: int = 0
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
    observer: Observer = ignore,
) -> RestoreReport:
    """Restore a snapshot, or the paths in `include`, below the folder `target`.

    Entries that cannot be restored are issues of the report. TargetFullError when the disk is
    full, RestoreError when the target cannot be used or nothing is included, and the
    storage's errors.
    """
    started = time.monotonic()
    selection = Selection(include)
    with hold(repository, optional=True):
        repository.load_index()
        run = _Restorer(repository, target, selection, observer)
        try:
            run.restore(snapshot.tree)
        finally:
            run.close()
    report = run.report
    require_found(report.files + report.directories + report.others + len(report.issues), selection)
    report.seconds = time.monotonic() - started
    return report


@dataclass
class _Folder:
    """A folder on the way: `node` is None at the root of the target."""

    path: bytes
    node: Node | None
    todo: Iterator[Node]


class _Restorer:
    def __init__(
        self, repository: Repository, target: bytes, selection: Selection, observer: Observer
    ) -> None:
        self.report = RestoreReport()
        self._reader = BlobReader(repository)
        self._selection = selection
        self._observer = observer
        self._target = Target(target)
        self._links: dict[tuple[int, int, int], tuple[tuple[bytes, ...], tuple[int, int]]] = {}

    def close(self) -> None:
        self._target.close()

    def restore(self, tree: bytes) -> None:
        """Depth first; a folder's own times and mode are set when it is left."""
        stack = [_Folder(b"", None, self._entries(b"", tree))]
        while stack:
            folder = stack[-1]
            node = next(folder.todo, None)
            if node is None:
                stack.pop()
                if folder.node is not None:
                    self._leave(folder.path, folder.node)
                continue
            path = folder.path + b"/" + node.name
            if node.type == "dir":
                if self._selection.leads_to(path) and self._enter(path, node):
                    stack.append(_Folder(path, node, self._entries(path, node.subtree)))
            elif self._selection.wants(path):
                self._restore_entry(path, node)

    def _entries(self, path: bytes, tree: bytes | None) -> Iterator[Node]:
        """A tree's nodes, without those whose names are not to be trusted."""
        if tree is None:
            self._fail(path, "the snapshot does not say what is in it")
            return
        try:
            nodes = self._reader.load_tree(tree)
        except DamagedError as error:
            self._fail(path, f"what is in it is lost. {error}")
            return
        seen: set[bytes] = set()
        for node in nodes:
            if not is_safe_name(node.name) or node.name in seen:
                text = f"the name {node.name[:80]!a} is not allowed there and was not restored"
                self._fail(path, text)
                continue
            seen.add(node.name)
            yield node

    def _enter(self, path: bytes, node: Node) -> bool:
        try:
            self._target.enter(node.name)
        except OSError as error:
            raise_if_full(error)
            self._fail(path, f"the folder cannot be made: {(error.strerror or '').lower()}")
            return False
        self.report.directories += 1
        return True

    def _leave(self, path: bytes, node: Node) -> None:
        fd = self._target.leave()
        try:
            self._note(path, restore_open(fd, node))
        finally:
            os.close(fd)

    def _restore_entry(self, path: bytes, node: Node) -> None:
        try:
            if node.type == "file":
                self._restore_file(path, node)
                self.report.files += 1
                self._observer(FileDone(path, "restored"))
            else:
                self._restore_special(path, node)
                self.report.others += 1
        except DamagedError as error:
            self._fail(path, f"it was not restored. {error}")
        except (OSError, OverflowError, ValueError) as error:
            if isinstance(error, OSError):
                raise_if_full(error)
            reason = getattr(error, "strerror", None) or "its description is not valid"
            self._fail(path, f"it was not restored: {reason.lower()}")

    def _restore_file(self, path: bytes, node: Node) -> None:
        key = (node.device_id, node.inode, hash(node.content))
        if node.links > 1 and key in self._links and self._link(key, node):
            return
        with self._target.new_file(node.name) as fd:
            for blob_id in node.content or ():
                data = self._reader.load(BlobKind.DATA, blob_id)
                write_all(fd, data)
                self.report.bytes += len(data)
                self._observer(Advanced(len(data)))
            self._note(path, restore_open(fd, node))
            status = os.fstat(fd)
        if node.links > 1:
            names = tuple(path.split(b"/")[1:])
            self._links[key] = (names, (status.st_dev, status.st_ino))

    def _link(self, key: tuple[int, int, int], node: Node) -> bool:
        first, identity = self._links[key]
        try:
            self._target.link(first, node.name, identity=identity)
        except OSError as error:
            raise_if_full(error)
            return False  # then it becomes a file of its own
        return True

    def _restore_special(self, path: bytes, node: Node) -> None:
        fd = self._target.fd
        with self._target.new_entry(node.name) as temporary:
            if node.type == "symlink":
                os.symlink(node.link_target, temporary, dir_fd=fd)
            elif node.type == "fifo":
                os.mkfifo(temporary, 0o600, dir_fd=fd)
            elif node.type in _SPECIAL:
                os.mknod(temporary, _SPECIAL[node.type] | 0o600, node.device, dir_fd=fd)
            else:
                raise ValueError(node.type)
            self._note(path, restore_named(temporary, node, dir_fd=fd))

    def _note(self, path: bytes, lost: list[str]) -> None:
        if lost:
            self._tell(Issue("metadata", path, f"could not set its {', '.join(lost)}"))

    def _fail(self, path: bytes, text: str) -> None:
        self._tell(Issue("failed", path, text))

    def _tell(self, event: Event) -> None:
        if isinstance(event, Issue):
            self.report.issues.append(event)
        self._observer(event)
