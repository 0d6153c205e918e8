"""Marks replicas as corrupt or missing, and objects without a good replica as lost."""

import logging

from accounts import audit
from backup_service import clock
from storage import wakeups
from storage.counters import tally
from storage.database import lock_order
from storage.models import LossNotice, Replica, StoredObject, Vault
from storage.objects.verify import BadBytesError, StoredBytes, verify
from storage.stores.base import NoSuchKeyError, UnreadableError
from storage.stores.registry import store_of

log = logging.getLogger(__name__)


class BadReplicaError(Exception):
    """A replica is missing, unreadable, or has other bytes than its object."""


def require_good(replica: Replica, obj: StoredObject) -> None:
    """Read and hash a replica from end to end.

    Marks a bad one and raises BadReplicaError. Raises RegionUnavailableError if it cannot be told.
    """
    try:
        if replica.attempt is None:
            raise NoSuchKeyError("no attempt")
        store = store_of(replica.region)
        verify(StoredBytes(store, replica.attempt.key, obj.size, obj.sha256))
    except (NoSuchKeyError, UnreadableError, BadBytesError) as error:
        mark(replica, error)
        raise BadReplicaError(str(error)) from error


def mark(replica: Replica, error: Exception) -> None:
    """Record that a replica is bad and put it on the work list, unless it changed meanwhile."""
    missing = isinstance(error, NoSuchKeyError)
    state = Replica.State.MISSING if missing else Replica.State.CORRUPT
    now = clock.now()
    with tally.counting():
        lock_order.lock_vault_of(replica.object_id)
        # Of two replicas marked at once, the second has to see that the first is bad already.
        StoredObject.objects.select_for_update(no_key=True).filter(pk=replica.object_id).first()
        still = Replica.objects.stored().filter(pk=replica.pk, attempt=replica.attempt_id)
        with tally.changing([replica.object_id]):
            marked = still.update(
                state=state,
                verified_at=None,
                since=now,
                next_attempt_at=now,
                last_error=str(error)[:300],
            )
            if marked:
                log.error("replica %s of object %s is %s", replica.pk, replica.object_id, state)
                note_loss(replica.object_id)
    if marked:
        wakeups.replication()


def note_loss(object_id: int) -> None:
    """Mark an object as lost if no good replica is left, inside the caller's transaction.

    That holds the locks of its vault and of the object itself, inside `tally.changing`.

    It is hidden from lists, so that clients send it again; nothing of it is deleted.
    """
    if Replica.objects.stored().filter(object=object_id).exists():
        return
    live = StoredObject.objects.live().filter(pk=object_id)
    lost = live.update(state=StoredObject.State.LOST)
    if lost:
        obj = StoredObject.objects.select_related("vault__account").get(pk=object_id)
        Vault.bump_epoch(obj.vault_id)
        LossNotice.objects.update_or_create(vault=obj.vault, defaults={"is_due": True})
        wakeups.losses()
        log.critical("object %s/%s of vault %s is lost", obj.type, obj.name, obj.vault_id)
        audit.record(
            audit.SERVICE,
            "object.lost",
            f"{obj.type}/{obj.name}",
            account=obj.vault.account,
            vault=obj.vault.public_id,
        )


def note_recovery(object_id: int) -> None:
    """Mark a lost object as live once it has a good replica, inside the caller's transaction.

    That holds the locks of its vault and of the object itself, inside `tally.changing`.
    """
    lost = StoredObject.objects.lost().filter(pk=object_id)
    found = lost.update(state=StoredObject.State.LIVE)
    if found:
        Vault.bump_epoch(StoredObject.objects.values_list("vault", flat=True).get(pk=object_id))
