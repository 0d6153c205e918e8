"""Finds the snapshot that is meant, loading no more than needed to tell."""

from collections.abc import Sequence
from typing import NamedTuple

from nightsafe.amounts import show_count
from nightsafe.backend.base import ObjectKind
from nightsafe.errors import DamagedError, SnapshotNotFoundError, UsageError
from nightsafe.repofile.snapshot import LATEST, Snapshot, find_name
from nightsafe.repository.repository import Repository, Snapshots
from nightsafe.repository.snapshot_groups import Filter, newest_first

_ALL = Filter()


class FoundSnapshot(NamedTuple):
    """The snapshot, and the ids of those that cannot be read, of which one may be meant."""

    snapshot: Snapshot
    unread: list[str]


def find(repository: Repository, wanted: str, chosen: Filter = _ALL) -> FoundSnapshot:
    """`latest` of the chosen, a whole id, or the beginning of one.

    SnapshotNotFoundError when there is none, or more than one; DamagedError when it is damaged.
    """
    if wanted == LATEST:
        return _find_latest(repository, chosen)
    listed = {listing.name for listing in repository.storage.list(ObjectKind.SNAPSHOT)}
    name = find_name(listed, wanted)
    found = repository.read_snapshots([name])
    if found.damaged:
        raise DamagedError(
            f"Snapshot {name[:8]} cannot be read. Run `nightsafe check`, or take another one; "
            "`nightsafe snapshots` lists them all."
        )
    if not found.sound:
        raise SnapshotNotFoundError(f"Snapshot {name[:8]} was removed just now.")
    return FoundSnapshot(found.sound[0], [])


def _find_latest(repository: Repository, chosen: Filter) -> FoundSnapshot:
    found = repository.load_snapshots()
    return FoundSnapshot(_latest(found, chosen), found.damaged)


def _latest(found: Snapshots, chosen: Filter) -> Snapshot:
    if fitting := newest_first(filter(chosen.takes, found.sound)):
        return fitting[0]
    if found.damaged:
        are = show_count(len(found.damaged), "is", "are")
        raise DamagedError(
            f"No snapshot that fits can be read: {are} damaged, such as "
            f"{found.damaged[0][:8]}. Run `nightsafe check`."
        )
    if found.sound:
        raise SnapshotNotFoundError("No snapshot has this host, these tags and these paths.")
    raise SnapshotNotFoundError("This repository holds no snapshot yet; make a backup first.")


def find_named(found: Snapshots, wanted: Sequence[str], chosen: Filter = _ALL) -> list[Snapshot]:
    """The snapshots that several ids, or `latest` of the chosen, stand for, each once.

    A damaged one can be named as well; then all but its id is empty. UsageError for a choice that
    no `latest` is to be made of.
    """
    if not chosen.is_empty and LATEST not in wanted:
        raise UsageError(
            "Hosts, tags and paths choose among all snapshots, or the latest; where others are "
            "named by their ids they mean nothing. Give one or the other."
        )
    known = {snapshot.id: snapshot for snapshot in found.sound}
    known |= {name: Snapshot(0, b"", (), id=name) for name in found.damaged}
    names = [
        _latest(found, chosen).id if one == LATEST else find_name(known, one) for one in wanted
    ]
    return [known[name] for name in dict.fromkeys(names)]
