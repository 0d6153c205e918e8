"""Checks that a repository holds all that its snapshots need, and that it is sound."""

from dataclasses import dataclass, field
from functools import partial

from nightsafe.backend.base import ObjectKind
from nightsafe.errors import DamagedError
from nightsafe.maintenance.pack_verifier import PackFinding, PackReader
from nightsafe.maintenance.read_subset import Subset
from nightsafe.progress import Advanced, Issue, Observer, Totals, ignore, show_path
from nightsafe.repofile.index import INDEX_REPAIR
from nightsafe.repofile.node_check import NodeChecker, name_faults
from nightsafe.repofile.pack import BlobKind, PackContent
from nightsafe.repofile.snapshot import Snapshot
from nightsafe.repofile.tree import Node
from nightsafe.repository.blob_reader import BlobReader
from nightsafe.repository.locks import hold_lock
from nightsafe.repository.repository import Repository
from nightsafe.workers.pool import WorkerPool, worker_count

IN_PROCESS_PACKS = 3


@dataclass
class CheckReport:
    """What a check saw. `errors` are whole sentences; `unindexed` packs are only waste.

    `split` packs are listed in parts by several index files: no harm, and a prune ends it.
    """

    snapshots: int = 0
    trees: int = 0
    packs: int = 0
    unindexed: int = 0
    split: int = 0
    packs_read: int = 0
    bytes_read: int = 0
    errors: list[str] = field(default_factory=list)


def check(
    repository: Repository,
    *,
    read_data: bool = False,
    subset: Subset | None = None,
    workers: int | None = None,
    observer: Observer = ignore,
) -> CheckReport:
    """Check index, packs, snapshots and trees; with `read_data` also every stored byte.

    With a `subset` only the packs that it chooses are read.
    """
    run = _Checker(repository, observer)
    with hold_lock(repository, optional=True):
        snapshots = run.load()
        run.check_packs()
        for snapshot in snapshots:
            run.check_snapshot(snapshot)
        if read_data or subset:
            run.read_packs(subset, worker_count(workers))
    return run.report


class _Checker:
    def __init__(self, repository: Repository, observer: Observer) -> None:
        self.report = CheckReport()
        self._repository = repository
        self._observer = observer
        self._packs: dict[bytes, PackContent] = {}
        self._sizes: dict[bytes, int] = {}
        self._sound_trees: set[bytes] = set()
        self._split: set[bytes] = set()

    def load(self) -> list[Snapshot]:
        """Load snapshots and index; what cannot be read is an error each."""
        # What this computer kept of them says nothing about what is stored.
        snapshots = self._repository.load_snapshots(use_cache=False)
        for name in snapshots.damaged:
            self._error(f"Snapshot {name[:8]} is damaged.")
        for name in self._repository.load_index(use_cache=False, on_pack=self._collect):
            self._error(f"Index file {name[:8]} is damaged: {INDEX_REPAIR}.")
        return snapshots.sound

    def _collect(self, content: PackContent) -> None:
        known = self._packs.setdefault(content.id, content)
        if set(known.blobs) == set(content.blobs):
            return
        self._split.add(content.id)
        try:
            self._packs[content.id] = known.merged(content)
        except DamagedError as error:
            self._error(str(error))

    def check_packs(self) -> None:
        """Every pack of the index must be stored with the size that the index implies."""
        stored = self._repository.storage.list(ObjectKind.DATA)
        self._sizes = {bytes.fromhex(listing.name): listing.size for listing in stored}
        self.report.packs = len(self._packs)
        self.report.split = len(self._split)
        self.report.unindexed = len(self._sizes.keys() - self._packs.keys())
        elsewhere: set[tuple[BlobKind, bytes]] | None = None
        for pack, content in self._packs.items():
            size = self._sizes.get(pack)
            if size is None:
                if elsewhere is None:
                    elsewhere = self._stored_blobs()
                self._error(f"Pack {pack.hex()[:8]} is missing{_consequence(content, elsewhere)}")
            elif size != content.size:
                self._error(f"Pack {pack.hex()[:8]} has {size} bytes instead of {content.size}.")

    def _stored_blobs(self) -> set[tuple[BlobKind, bytes]]:
        """The blobs of all packs that are stored with the size that they should have."""
        return {
            (blob.kind, blob.id)
            for pack, content in self._packs.items()
            if self._sizes.get(pack) == content.size
            for blob in content.blobs
        }

    def check_snapshot(self, snapshot: Snapshot) -> None:
        """Every tree and blob that a snapshot needs must be in the index, trees readable."""
        self.report.snapshots += 1
        reader, judge = BlobReader(self._repository), NodeChecker(self._repository.index)
        todo = [(b"", snapshot.tree)]
        while todo:
            path, tree = todo.pop()
            if tree not in self._sound_trees:
                self._sound_trees.add(tree)
                self.report.trees += 1
                for node in self._nodes(reader, path, tree, snapshot):
                    inner = path + b"/" + node.name
                    self._check_node(judge, inner, node, snapshot)
                    if node.subtree is not None:
                        todo.append((inner, node.subtree))

    def _nodes(
        self, reader: BlobReader, path: bytes, tree: bytes, snapshot: Snapshot
    ) -> list[Node]:
        try:
            nodes, unreadable = reader.read_tree(tree)
        except DamagedError as error:
            self._error(f"Snapshot {snapshot.short_id}: {show_path(path or b'/')}: {error}")
            return []
        for entry in unreadable:
            inner = path + b"/" + (entry.name or b"?")
            self._error(f"Snapshot {snapshot.short_id}: {show_path(inner)}: {entry}.")
        for problem in name_faults(nodes):
            self._error(f"Snapshot {snapshot.short_id}: {show_path(path or b'/')}: {problem}.")
        return nodes

    def _check_node(self, judge: NodeChecker, path: bytes, node: Node, snapshot: Snapshot) -> None:
        fault, missing = judge.fault(node), judge.missing(node)
        if fault is not None:
            self._error(f"Snapshot {snapshot.short_id}: {show_path(path)}: {fault.text}.")
        for blob in missing:
            self._error(
                f"Snapshot {snapshot.short_id}: {show_path(path)} lacks blob {blob.hex()[:8]}."
            )

    def read_packs(self, subset: Subset | None, workers: int) -> None:
        """Read and verify indexed packs down to each blob's hash, with worker processes."""
        present = {pack: size for pack, size in self._sizes.items() if pack in self._packs}
        chosen = subset.choose(list(present.items())) if subset else list(present)
        self.report.packs_read = len(chosen)
        self._observer(Totals(len(chosen), sum(present[pack] for pack in chosen)))
        jobs = [self._packs[pack] for pack in chosen]
        if workers and len(jobs) > IN_PROCESS_PACKS:
            self._read_together(jobs, workers)
            return
        reader = PackReader(self._repository.storage, self._repository.master)
        for content in jobs:
            self._read(content, reader.run(content, reader.fetch(content)))

    def _read_together(self, jobs: list[PackContent], workers: int) -> None:
        start = partial(PackReader, self._repository.storage, self._repository.master)
        pool: WorkerPool[PackContent, PackFinding] = WorkerPool(start, workers)
        try:
            for content in jobs:
                pool.submit(content)
            while pool.open_jobs:
                for content, finding in pool.results(wait=True):
                    self._read(content, finding)
        finally:
            pool.close()

    def _read(self, content: PackContent, finding: PackFinding) -> None:
        self.report.bytes_read += finding.size
        if finding.problem:
            self._error(f"Pack {content.id.hex()[:8]}: {finding.problem}")
        self._observer(Advanced(content.size))

    def _error(self, text: str) -> None:
        self.report.errors.append(text)
        self._observer(Issue("failed", b"", text))


def _consequence(pack: PackContent, stored: set[tuple[BlobKind, bytes]]) -> str:
    """What it means that a pack is missing, as the end of a sentence."""
    if all((blob.kind, blob.id) in stored for blob in pack.blobs):
        return (
            "; nothing is lost by that, as all that was in it is stored in other packs too: "
            "`nightsafe prune` (scope maintain) takes it off the index."
        )
    return "."
