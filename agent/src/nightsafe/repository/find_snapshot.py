"""Finds snapshots by id, prefix or `latest`, loading no more than necessary."""

from collections.abc import Sequence
from typing import NamedTuple

from nightsafe.amounts import show_count
from nightsafe.backend.base import ObjectKind
from nightsafe.errors import DamagedError, SnapshotNotFoundError, UsageError
from nightsafe.repofile.snapshot import LATEST, Snapshot, find_name
from nightsafe.repository.repository import Repository, Snapshots
from nightsafe.repository.snapshot_groups import SnapshotFilter, newest_first

_ALL = SnapshotFilter()


class FoundSnapshot(NamedTuple):
    """The snapshot, and the ids of unreadable ones, of which one may have been meant."""

    snapshot: Snapshot
    unread: list[str]


def find(
    repository: Repository, wanted: str, snapshot_filter: SnapshotFilter = _ALL
) -> FoundSnapshot:
    """Find a snapshot by `latest`, its id, or the beginning of its id.

    `latest` considers those that match the filter. SnapshotNotFoundError if there is none, or more
    than one; DamagedError if it is damaged.
    """
    if wanted == LATEST:
        return _find_latest(repository, snapshot_filter)
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


def _find_latest(repository: Repository, snapshot_filter: SnapshotFilter) -> FoundSnapshot:
    found = repository.load_snapshots()
    return FoundSnapshot(_latest(found, snapshot_filter), found.damaged)


def _latest(found: Snapshots, snapshot_filter: SnapshotFilter) -> Snapshot:
    if fitting := newest_first(filter(snapshot_filter.matches, found.sound)):
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


def find_named(
    found: Snapshots, wanted: Sequence[str], snapshot_filter: SnapshotFilter = _ALL
) -> list[Snapshot]:
    """Find the snapshots for several ids or `latest`, each once.

    A damaged one may be named; all its fields but the id are then empty. UsageError for a filter
    without `latest`.
    """
    if not snapshot_filter.is_empty and LATEST not in wanted:
        raise UsageError(
            "Hosts, tags and paths choose among all snapshots, or the latest; where others are "
            "named by their ids they mean nothing. Give one or the other."
        )
    by_id = {snapshot.id: snapshot for snapshot in found.sound}
    by_id |= {name: Snapshot(0, b"", (), id=name) for name in found.damaged}
    names = [
        _latest(found, snapshot_filter).id if one == LATEST else find_name(by_id, one)
        for one in wanted
    ]
    return [by_id[name] for name in dict.fromkeys(names)]
