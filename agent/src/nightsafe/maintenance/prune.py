"""Removes what no snapshot needs. It may be killed at any moment and run again.

New packs are written first, then the index files that list them, and only then the index
files that these replace are removed, and the packs last. So at every moment everything that
a snapshot needs is stored and listed.
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass

from nightsafe.amounts import show_count
from nightsafe.backend.base import ObjectKind
from nightsafe.errors import (
    AccessRefusedError,
    DamagedError,
    ObjectNotFoundError,
    RefusedError,
    ended,
)
from nightsafe.maintenance.prune_plan import BlobKey, Limit, PrunePlan, parse_limit, plan_prune
from nightsafe.packer.blob_sealer import BlobSealer
from nightsafe.packer.open_packs import OpenPacks
from nightsafe.packer.pack_builder import FinishedPack
from nightsafe.progress import Advanced, Observer, Totals, ignore
from nightsafe.repofile.index import INDEX_REPAIR, decode_index, encode_index
from nightsafe.repofile.pack import BlobEntry, BlobKind, PackContent
from nightsafe.repository.blob_reader import BlobOpener, BlobReader
from nightsafe.repository.locks import HeldLock, hold_lock
from nightsafe.repository.object_loader import cache_of, load_texts, remove_all, text_of, unlisted
from nightsafe.repository.repository import Repository

DEFAULT_LIMIT = "5%"
_DEFAULT: Limit = parse_limit(DEFAULT_LIMIT)
_INDEX_BLOBS = 50_000
_NEEDS_MAINTAIN = (
    "Forgetting and pruning remove objects, which needs a credential with the scope maintain; "
    "nothing was changed."
)


@dataclass(frozen=True)
class PruneOptions:
    """How to prune; `limit` says how much unused may stay, `max_repack` is in bytes.

    `allow_empty`: that no snapshot is listed is no reason to stop. `forgotten` are the ids of
    snapshots that a trial takes as removed.
    """

    limit: Limit = _DEFAULT
    max_repack: float = float("inf")
    dry_run: bool = False
    allow_empty: bool = False
    forgotten: frozenset[str] = frozenset()


@dataclass
class PruneReport:
    """What was, or would be, done: numbers of packs, and bytes."""

    kept: int = 0
    repacked: int = 0
    removed: int = 0
    unindexed: int = 0
    used_bytes: int = 0
    freed_bytes: int = 0
    left_unused: int = 0
    written_bytes: int = 0


def prune(
    repository: Repository, options: PruneOptions | None = None, observer: Observer = ignore
) -> PruneReport:
    """Remove what no snapshot needs, alone in the repository.

    RefusedError, and nothing is changed, when the repository is not sound; AccessRefusedError
    when the credential may not remove; LockedError, LockLostError, the storage's errors.
    """
    options = options or PruneOptions()
    with hold_lock(repository, exclusive=True) as lock:
        if not options.dry_run:
            require_permission(repository)
        run = _Pruner(repository, options, lock, observer)
        run.survey()
        if not options.dry_run and not run.is_idle:
            run.carry_out()
    return run.report()


def require_permission(repository: Repository) -> None:
    """AccessRefusedError unless we may remove; found out with a name that nothing has."""
    try:
        repository.storage.remove(ObjectKind.INDEX, hashlib.sha256(os.urandom(32)).hexdigest())
    except ObjectNotFoundError:
        return
    except AccessRefusedError as error:
        raise AccessRefusedError(f"{ended(error)} {_NEEDS_MAINTAIN}") from error


class _Pruner:
    def __init__(
        self,
        repository: Repository,
        options: PruneOptions,
        lock: HeldLock | None,
        observer: Observer,
    ) -> None:
        self.plan = PrunePlan()
        self._repository = repository
        self._options = options
        self._lock = lock
        self._observer = observer
        self._opener = BlobOpener(repository.sealer)
        self._files: dict[str, list[PackContent]] = {}
        self._packs: dict[bytes, PackContent] = {}
        self._split: set[bytes] = set()  # packs that several index files list in parts
        self._new: list[PackContent] = []
        self._written = 0
        self._snapshots: frozenset[str] = frozenset()

    def report(self) -> PruneReport:
        plan = self.plan
        return PruneReport(
            kept=len(plan.keep),
            repacked=len(plan.repack),
            removed=len(plan.remove),
            unindexed=len(plan.unindexed),
            used_bytes=plan.used_bytes,
            freed_bytes=plan.freed_bytes,
            left_unused=plan.left_unused,
            written_bytes=self._written,
        )

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to do."""
        return self.plan.is_idle and not self._split

    def survey(self) -> None:
        """Learn what is stored and what is needed, and plan; RefusedError if that is in doubt."""
        # As the vault has them now: if no copy of one can be read, this is no time to remove.
        snapshots = self._repository.load_snapshots(use_cache=False)
        if snapshots.doubt:
            raise _refused(snapshots.doubt)
        self._snapshots = snapshots.listed
        self._require_whole()
        self._load_index()
        stored = {
            bytes.fromhex(listing.name): listing.size
            for listing in self._repository.storage.list(ObjectKind.DATA)
        }
        self._require_any(stored)
        left_out = self._options.forgotten if self._options.dry_run else frozenset()
        used = self._find_used([one.tree for one in snapshots.sound if one.id not in left_out])
        self._require_stored(used, stored)
        self.plan = plan_prune(
            self._packs,
            stored,
            used,
            limit=self._options.limit,
            max_repack=self._options.max_repack,
        )

    def _require_whole(self) -> None:
        """RefusedError when a snapshot that was seen before is not listed, though it is there."""
        cache = cache_of(self._repository, ObjectKind.SNAPSHOT)
        _, there = unlisted(self._repository, self._snapshots, cache) if cache else ([], [])
        if there:
            raise _refused(f"snapshot {there[0][:8]} is there, but the list of snapshots lacks it")

    def _require_any(self, stored: dict[bytes, int]) -> None:
        """RefusedError when no snapshot is listed, unless that is as it should be."""
        if not self._snapshots and stored and not self._options.allow_empty:
            raise RefusedError(
                "Nothing was removed, for no snapshot is listed, and all data would go. If all "
                "were forgotten on purpose, run `nightsafe prune --allow-empty`."
            )

    def _require_same(self) -> None:
        """RefusedError when the snapshots, listed again, are more than were looked at."""
        listed = {listing.name for listing in self._repository.storage.list(ObjectKind.SNAPSHOT)}
        if more := sorted(listed - self._snapshots):
            raise _refused(f"snapshot {more[0][:8]} was not listed before, and is now")

    def _load_index(self) -> None:
        listed = [listing.name for listing in self._repository.storage.list(ObjectKind.INDEX)]
        for name, text in load_texts(self._repository, ObjectKind.INDEX, set(listed), cache=None):
            try:
                self._files[name] = decode_index(text_of(text))
            except (DamagedError, ObjectNotFoundError) as error:
                raise RefusedError(
                    f"Nothing was removed, for index file {name} cannot be read: {ended(error)} "
                    f"Snapshots may need what it lists. To mend it, {INDEX_REPAIR}; then prune."
                ) from error
        for contents in self._files.values():
            for content in contents:
                self._learn(content)

    def _learn(self, content: PackContent) -> None:
        known = self._packs.setdefault(content.id, content)
        if set(known.blobs) != set(content.blobs):
            self._split.add(content.id)
            try:
                self._packs[content.id] = known.merged(content)
            except DamagedError as error:
                raise _refused(str(error)) from error
        self._repository.index.add(content)

    def _find_used(self, roots: list[bytes]) -> set[BlobKey]:
        """Every tree and data blob that the snapshots need; RefusedError if a tree is lost."""
        reader = BlobReader(self._repository)
        used: set[BlobKey] = set()
        todo = list(roots)
        while todo:
            tree = todo.pop()
            if (BlobKind.TREE, tree) in used:
                continue
            used.add((BlobKind.TREE, tree))
            try:
                nodes = reader.load_tree(tree)
            except DamagedError as error:
                raise _refused(f"a folder of a snapshot is lost. {error}") from error
            for node in nodes:
                used.update((BlobKind.DATA, blob) for blob in node.content or ())
                if node.subtree is not None:
                    todo.append(node.subtree)
        return used

    def _require_stored(self, used: set[BlobKey], stored: dict[bytes, int]) -> None:
        there: set[BlobKey] = set()
        for pack, content in self._packs.items():
            mine = {(blob.kind, blob.id) for blob in content.blobs} & used
            if pack not in stored:
                continue
            there |= mine
            if mine and stored[pack] != content.size:
                raise _refused(f"pack {pack.hex()[:8]} does not have the size that it should have")
        if missing := used - there:
            kind, blob = min(missing, key=lambda key: key[1])
            words = "blob that snapshots need is", "blobs that snapshots need are"
            raise _refused(
                f"{show_count(len(missing), *words)} not stored, such as the {kind.word} blob "
                f"{blob.hex()[:8]}"
            )

    def carry_out(self) -> None:
        """Write, list, then remove: in this order alone."""
        self._require_same()
        self._repack()
        self._ensure_held()
        replaced = self._write_index()
        self._remove(ObjectKind.INDEX, replaced)
        # What is gone is removed too: a service that lost it has it on record until then.
        packs = (*self.plan.unindexed, *self.plan.remove, *self.plan.repack, *self.plan.gone)
        self._remove(ObjectKind.DATA, [pack.hex() for pack in packs])

    def _repack(self) -> None:
        """Write the used blobs of wasteful packs into new ones, each opened and verified."""
        self._observer(Totals(len(self.plan.repack), self.plan.rewritten_bytes))
        by = BlobSealer(self._repository.sealer, compresses=self._repository.config.compresses)
        open_packs = {kind: OpenPacks(kind, by) for kind in BlobKind}
        for pack, blobs in self.plan.repack.items():
            self._ensure_held()
            data = self._load(pack)
            for blob in blobs:
                self._store(self._move(blob, data, open_packs[blob.kind]))
                self._observer(Advanced(blob.length))
        for packs in open_packs.values():
            self._store(packs.merge())
            self._store(packs.finish())

    def _load(self, pack: bytes) -> bytes:
        end = self._repository.index.pack_end(pack)
        try:
            return self._repository.storage.load(ObjectKind.DATA, pack.hex(), offset=0, length=end)
        except ObjectNotFoundError as error:
            raise _refused(f"pack {pack.hex()[:8]} has vanished. {error}") from error

    def _move(self, blob: BlobEntry, data: bytes, packs: OpenPacks) -> FinishedPack | None:
        """Verify a blob and store it anew; returns a pack that is full by this."""
        sealed = data[blob.offset : blob.offset + blob.length]
        try:
            self._opener.open(sealed, blob_id=blob.id, plain_length=blob.plain_length)
        except DamagedError:
            try:  # again, and in other packs
                plain = BlobReader(self._repository).load(blob.kind, blob.id)
            except DamagedError as error:
                raise _refused(str(error)) from error
            return packs.add(blob.id, plain)
        return packs.append(blob.id, sealed, plain_length=blob.plain_length)

    def _store(self, pack: FinishedPack | None) -> None:
        if pack is None:
            return
        content = pack.content
        self._repository.storage.save(ObjectKind.DATA, content.id.hex(), pack.data)
        self._new.append(content)
        self._written += len(pack.data)
        pack.release()

    def _write_index(self) -> list[str]:
        """Write new index files; returns the names of those that they replace.

        No pack is left listed in parts: stock restic 0.19 calls that damage.
        """
        dropped = {*self.plan.remove, *self.plan.repack, *self.plan.gone}
        replaced = [
            name
            for name, contents in self._files.items()
            if not contents or any(c.id in dropped or c.id in self._split for c in contents)
        ]
        kept_status = {
            content.id: self._packs[content.id]
            for name in replaced
            for content in self._files[name]
            if content.id not in dropped
        }
        batch: list[PackContent] = []
        for content in (*kept_status.values(), *self._new):
            batch.append(content)
            if sum(len(c.blobs) for c in batch) >= _INDEX_BLOBS:
                self._repository.save_text(ObjectKind.INDEX, encode_index(batch))
                batch = []
        if batch:
            self._repository.save_text(ObjectKind.INDEX, encode_index(batch))
        return replaced

    def _remove(self, kind: ObjectKind, names: Sequence[str]) -> None:
        self._ensure_held()
        for _ in remove_all(self._repository, kind, names):
            self._ensure_held()

    def _ensure_held(self) -> None:
        if self._lock is not None:
            self._lock.ensure_held()


def _refused(why: str) -> RefusedError:
    return RefusedError(
        f"Nothing was removed, for the repository is not sound: {why.rstrip('.')}. Run "
        "`nightsafe check` to see what is affected, forget snapshots that cannot be saved, and "
        "back up again; then prune."
    )
