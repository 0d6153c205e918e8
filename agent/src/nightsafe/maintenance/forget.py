"""Removes snapshots that a retention policy does not keep, or that were named."""

from collections.abc import Iterable

from nightsafe.amounts import show_count
from nightsafe.backend.base import ObjectKind
from nightsafe.errors import RefusedError
from nightsafe.maintenance.prune import require_permission
from nightsafe.repofile.snapshot import Snapshot
from nightsafe.repository.locks import hold_lock
from nightsafe.repository.object_loader import remove_all
from nightsafe.repository.repository import Repository


def remove_snapshots(
    repository: Repository, snapshots: Iterable[Snapshot], *, keep: Iterable[Snapshot] = ()
) -> int:
    """Remove snapshots from the repository, alone in it; returns how many were there.

    What only they needed stays until a prune. RefusedError when one of `keep`, for the sake of
    which these may go, is not there any more; LockedError, AccessRefusedError where the credential
    may not remove anything.
    """
    count = 0
    with hold_lock(repository, exclusive=True) as lock:
        _require_listed(repository, keep)
        require_permission(repository)
        names = [snapshot.id for snapshot in snapshots]
        for _, was_there in remove_all(repository, ObjectKind.SNAPSHOT, names):
            count += was_there
            if lock is not None:
                lock.ensure_held()
    return count


def _require_listed(repository: Repository, keep: Iterable[Snapshot]) -> None:
    names = {snapshot.id for snapshot in keep}
    if not names:
        return
    listed = {listing.name for listing in repository.storage.list(ObjectKind.SNAPSHOT)}
    if missing := sorted(names - listed):
        words = "snapshot that was to be kept is", "snapshots that were to be kept are"
        raise RefusedError(
            f"Nothing was forgotten: {show_count(len(missing), *words)} not listed any more, such "
            f"as {missing[0][:8]}. Did somebody else forget some? Run it again."
        )
