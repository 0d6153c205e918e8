"""Finds the parent snapshot, the tree cache and abandoned journals before anything is read."""

import os
from collections.abc import Callable, Iterable

from nightsafe.archiver.archiver import Archiver
from nightsafe.archiver.parent_lookup import ELSEWHERE
from nightsafe.backend.base import ObjectKind
from nightsafe.errors import ObjectNotFoundError
from nightsafe.file_saver.blob_set import BlobSet
from nightsafe.fs.files import clean
from nightsafe.packer.index_writer import IndexWriter
from nightsafe.packer.journal import DeadJournal, dead_journals
from nightsafe.progress import Issue, Observer
from nightsafe.repofile.index import Index
from nightsafe.repofile.pack import BlobKind, PackContent, encode_entries
from nightsafe.repofile.snapshot import Snapshot, find_parent
from nightsafe.repository.repository import Repository
from nightsafe.repository.vault_folder import vault_folder
from nightsafe.scanner.fingerprint import Fingerprint
from nightsafe.scanner.sources import components
from nightsafe.scanner.stat_trust import StatTrust
from nightsafe.scanner.tree_cache import CacheHead, TreeCache, is_outdated, load_cache
from nightsafe.settings.login import cache_dir

ANEW = (
    "An older version of this program made the last backup from here, and could leave files out or "
    "miss changes. So everything is read anew this once; what is stored already is not sent again."
)


def cache_folder(repository: Repository) -> str:
    """Where this computer keeps journals and caches of this vault."""
    return vault_folder(cache_dir(), repository.master, repository.config.id)


class Preparation:
    """What a backup starts from: the parent snapshot, the cache, the known blobs."""

    def __init__(
        self,
        repository: Repository,
        *,
        hostname: str,
        paths: tuple[str, ...],
        tell: Observer,
        given: Iterable[bytes] = (),
    ) -> None:
        """`paths` are the sources as a snapshot names them; `given`, as they were given."""
        self.known = BlobSet()
        self.cache: TreeCache | None = None
        self.parent_id = ""
        self.parent_tree = b""
        self.trusts = StatTrust()
        self.settle: Callable[[], None] = lambda: None
        self._repository = repository
        self._hostname = hostname
        self._paths = paths
        self._tell = tell
        places = {b"/".join(components(clean(path), os.path)) for path in given}
        self._written = tuple(sorted(place.decode("utf-8", "replace") for place in places))
        self._snapshots: list[str] = []
        self._indexes: list[str] = []
        self._packs: set[bytes] = set()
        self._is_loaded = False
        self._epoch, self._wanted = -1, frozenset[str]()
        repository.index = Index()

    def begin(self, *, trust_cache: bool, dry_run: bool, force: bool = False) -> None:
        """Find the parent, and whether the cache is to be believed; take up dead journals.

        With `force` neither counts. Snapshots are listed before the index, or a new one might seem
        to dangle.
        """
        storage = self._repository.storage
        self._epoch, self._wanted = storage.epoch, storage.lost_packs
        self._snapshots = self._names(ObjectKind.SNAPSHOT)
        if not force and not self._must_begin_anew():
            self._find_former(trust_cache=trust_cache)
        if not dry_run:
            for journal in dead_journals(cache_folder(self._repository)):
                self._take_up(journal)

    def _must_begin_anew(self) -> bool:
        """Whether nothing can be believed of what an older version has read; it is told once."""
        if not is_outdated(self._cache_path()):
            return False
        self._tell(Issue("notice", b"", ANEW))
        return True

    def _find_former(self, *, trust_cache: bool) -> None:
        cache = load_cache(self._cache_path()) if trust_cache else None
        if cache is None or not self._believes(cache):
            self._take_parent(self._load_snapshots(self._snapshots))
            return
        self.cache = cache
        head = cache.head
        self._indexes = list(head.indexes)
        if head.written and head.written != self._written:
            self._tell(Issue("notice", b"", ELSEWHERE))
        foreign = set(self._snapshots) - {head.snapshot, *head.snapshots}
        mine = Snapshot(head.time, b"", self._paths, self._hostname, id=head.snapshot)
        self._take_parent([mine, *self._load_snapshots(sorted(foreign))])

    def _believes(self, cache: TreeCache) -> bool:
        if cache.head.snapshot not in self._snapshots:
            return False
        if self._wanted and cache.head.epoch != self._epoch:
            return False  # what the service has lost since then is read and stored anew
        return set(cache.head.indexes) <= set(self._names(ObjectKind.INDEX))

    def _names(self, kind: ObjectKind) -> list[str]:
        return [listing.name for listing in self._repository.storage.list(kind)]

    def _cache_path(self) -> str:
        wanted = "\0".join((self._hostname, *sorted(self._paths)))
        key = Fingerprint(self._repository.master).of_path(wanted.encode("utf-8", "replace"))
        return os.path.join(cache_folder(self._repository), f"{key.hex()}.trees")

    def _load_snapshots(self, names: list[str]) -> list[Snapshot]:
        found = self._repository.read_snapshots(names)
        for name in found.damaged:
            self._tell_damaged(f"snapshot {name[:8]}")
        return found.sound

    def _take_parent(self, snapshots: list[Snapshot]) -> None:
        parent = find_parent(snapshots, hostname=self._hostname, paths=self._paths)
        if parent is not None:
            self.parent_id, self.parent_tree = parent.id, parent.tree
            # Folders come from the parent or from the cache, and the older of the two knew less.
            times = [parent.time] if self.cache is None else [parent.time, self.cache.head.time]
            self.trusts = StatTrust.before(min(times))

    def _tell_damaged(self, what: str) -> None:
        text = f"The repository's {what} cannot be read and was passed over. Run `nightsafe check`."
        self._tell(Issue("damaged", b"", text))

    def load_index(self) -> None:
        """Learn what is stored: data blobs into `known`, trees into the repository's index."""
        if self._is_loaded:
            return
        self._is_loaded = True
        self._indexes = []
        for name, contents in self._repository.index_files():
            self._indexes.append(name)
            if contents is None:
                self._tell_damaged(f"index file {name[:8]}")
            for content in contents or ():
                self._learn(content)

    def _learn(self, content: PackContent) -> None:
        if content.id.hex() in self._wanted:
            return
        self._packs.add(content.id)
        is_data = [blob.kind is BlobKind.DATA for blob in content.blobs]
        if not all(is_data):
            self._repository.index.add(content)
        for blob in content.blobs:
            if blob.kind is BlobKind.DATA:
                self.known.claim(blob.id)

    def _take_up(self, journal: DeadJournal) -> None:
        """Index the packs of a dead backup that arrived, so that they are not sent again."""
        try:
            noted = list(journal.packs(self._repository.sealer))
            if noted:
                self.load_index()
            arrived = [pack for pack in noted if pack.id not in self._packs and self._has(pack)]
            writer = IndexWriter(self._repository, self.settle)
            for content in arrived:
                self._learn(content)
                writer.add(content.id, encode_entries(content.blobs))
            writer.flush()
            self._indexes += writer.written
        except BaseException:
            journal.close()
            raise
        journal.remove()

    def _has(self, pack: PackContent) -> bool:
        try:
            return self._repository.storage.size(ObjectKind.DATA, pack.id.hex()) == pack.size
        except ObjectNotFoundError:
            return False

    def save_cache(self, archiver: Archiver, snapshot: Snapshot) -> None:
        """Remember for the next backup what this one found."""
        head = CacheHead(
            snapshot=snapshot.id,
            time=snapshot.time,
            indexes=tuple(dict.fromkeys((*self._indexes, *archiver.store.index_names))),
            snapshots=tuple(self._snapshots),
            epoch=self._epoch,
            written=self._written,
        )
        archiver.records.save(self._cache_path(), head)
