"""Decides what prune does with each pack: keep, repack or remove. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from nightsafe.amounts import parse_size
from nightsafe.errors import UsageError
from nightsafe.repofile.pack import BlobEntry, BlobKind, PackContent

BlobKey = tuple[BlobKind, bytes]
Limit = Callable[[int], float]


@dataclass
class PrunePlan:
    """What to do. Sizes in bytes; `repack` holds for each pack the blobs to write anew.

    `gone` are packs that the index lists, that are not stored, and that nothing needs.
    """

    keep: list[bytes] = field(default_factory=list)
    repack: dict[bytes, tuple[BlobEntry, ...]] = field(default_factory=dict)
    remove: list[bytes] = field(default_factory=list)
    unindexed: list[bytes] = field(default_factory=list)
    gone: list[bytes] = field(default_factory=list)
    used_bytes: int = 0
    unused_bytes: int = 0
    freed_bytes: int = 0
    rewritten_bytes: int = 0

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.repack or self.remove or self.unindexed or self.gone)

    @property
    def left_unused(self) -> int:
        """Unused bytes that stay, in packs that are not worth the work."""
        return self.unused_bytes - self.freed_bytes


@dataclass
class _Share:
    """How much of a pack is used, counting each blob in one of its copies only."""

    content: PackContent
    used: tuple[BlobEntry, ...]

    @property
    def used_bytes(self) -> int:
        return sum(blob.length for blob in self.used)

    @property
    def unused_bytes(self) -> int:
        return sum(blob.length for blob in self.content.blobs) - self.used_bytes


def parse_limit(text: str) -> Limit:
    """How many unused bytes may stay beside so many used ones: a size, `5%`, or `unlimited`."""
    if text == "unlimited":
        return lambda used: float("inf")
    if not text.endswith("%"):
        size = parse_size(text)
        return lambda used: size
    try:
        share = float(text[:-1])
    except ValueError:
        share = -1.0
    if not 0 <= share < 100:
        raise UsageError(f"{text!a} is not a share; write it like 5%, less than 100%.")
    return lambda used: used * share / (100 - share)


def plan_prune(
    packs: Mapping[bytes, PackContent],
    stored: Mapping[bytes, int],
    used: Iterable[BlobKey],
    *,
    limit: Limit,
    max_repack: float = float("inf"),
) -> PrunePlan:
    """Decide for every pack. `packs` are the indexed ones, `stored` the sizes of those there.

    Every used blob must be in a stored pack.
    """
    plan = PrunePlan(unindexed=[pack for pack in stored if pack not in packs])
    plan.gone = [pack for pack in packs if pack not in stored]
    shares = _shares([content for pack, content in packs.items() if pack in stored], set(used))
    plan.used_bytes = sum(share.used_bytes for share in shares)
    plan.unused_bytes = sum(share.unused_bytes for share in shares)
    partly = []
    for share in shares:
        if not share.used:
            plan.remove.append(share.content.id)
            plan.freed_bytes += share.unused_bytes
        elif not share.unused_bytes:
            plan.keep.append(share.content.id)
        else:
            partly.append(share)
    _choose(plan, partly, limit=limit(plan.used_bytes), max_repack=max_repack)
    return plan


def _shares(contents: list[PackContent], used: set[BlobKey]) -> list[_Share]:
    """Packs with the blobs that each must provide; the fullest packs are asked first."""

    def waste(content: PackContent) -> float:
        total = sum(blob.length for blob in content.blobs) or 1
        kept = sum(blob.length for blob in content.blobs if (blob.kind, blob.id) in used)
        return 1 - kept / total

    wanted, shares = set(used), []
    for content in sorted(contents, key=waste):
        mine = []
        for blob in content.blobs:
            if (blob.kind, blob.id) in wanted:
                wanted.discard((blob.kind, blob.id))
                mine.append(blob)
        shares.append(_Share(content, tuple(mine)))
    return shares


def _choose(plan: PrunePlan, partly: list[_Share], *, limit: float, max_repack: float) -> None:
    """Repack the most wasteful packs, until no more is left unused than may be."""
    partly.sort(key=lambda share: share.unused_bytes / (share.used_bytes or 1), reverse=True)
    for share in partly:
        is_enough = plan.left_unused <= limit
        if is_enough or plan.rewritten_bytes + share.used_bytes > max_repack:
            plan.keep.append(share.content.id)
            continue
        plan.repack[share.content.id] = share.used
        plan.freed_bytes += share.unused_bytes
        plan.rewritten_bytes += share.used_bytes
