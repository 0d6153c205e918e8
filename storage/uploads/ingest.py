"""Stores uploads that come through the gateway, from top to bottom.

credential -> vault -> name -> quota reserved -> bytes to a fresh attempt, hashed on the way -> one
transaction: the object, its lifetime, its replicas, the settlement -> 200 -> a wake-up to the
workers.

Whatever fails before that transaction leaves nothing but a doomed attempt for the sweep, and
whatever is answered with 200 is durable in one region and on record.
"""

import logging
from contextlib import suppress

from django.conf import settings
from django.db import transaction

from backup_service import clock
from storage import object_sizes, wakeups
from storage.body import HashedBody
from storage.database import lock_order
from storage.database.connections import lend_connection
from storage.errors import BusyError, RefusedError
from storage.models import (
    Attempt,
    Region,
    StoredObject,
    SweptAttempt,
)
from storage.object_names import ObjectName, ObjectType
from storage.objects import placement, replicas
from storage.objects.commit import Arrival, commit, require_same
from storage.stores.base import RegionError, RegionFullError
from storage.stores.registry import store_of
from storage.vaults import index_freshness, locks, quota, sequence
from storage.vaults.access import Access

log = logging.getLogger(__name__)


def deposit(
    access: Access,
    name: ObjectName,
    body: HashedBody,
    *,
    into: Region | None = None,
    lock: str = "",
) -> None:
    """Store one object of a vault, `into` a certain region if need be. On return it is durable
    and on record. `lock` is the name of the run's lock, if it says so.

    Raises a RefusedError whose status restic understands; then nothing was stored.
    """
    access.require_create(name.type)
    object_sizes.require_sound(name, body.size)
    if name.type is ObjectType.LOCK:
        locks.put(access, name, body)
        return
    existing = StoredObject.objects.named(access.vault, name).first()
    if existing is not None and _is_safe(existing):
        lend_connection()
        body.read_to_end()
        require_same(existing, size=body.size, sha256=body.digest)
        if _confirm(access, name):
            return
        raise BusyError("The object was removed at this very moment; send it again.")
    if name.type is ObjectType.SNAPSHOT:
        index_freshness.require_fresh(access.credential, access.vault, lock=lock)
    _write_and_commit(access, name, body, into=into, lock=lock)


def _write_and_commit(
    access: Access, name: ObjectName, body: HashedBody, *, into: Region | None, lock: str
) -> None:
    order = [(into, store_of(into))] if into else placement.write_order(access.vault.account)
    for region, store in order:
        attempt = begin(access, name, region=region, size=body.size)
        try:
            key = attempt.key
            lend_connection()
            store.put(key, body, body.size)
            body.read_to_end()  # a store may stop at the last byte; the hash is still to be checked
            record_or_clear(access, name, attempt=attempt, body=body, lock=lock)
        except RegionError as error:
            _abandon(attempt, body)
            placement.avoid(region.alias)
            if isinstance(error, RegionFullError):
                region.note_full()
            log.warning("region %s refused an upload: %s", region.alias, error)
            if not body.is_untouched:
                raise _sorry(error) from error
        except BaseException:
            _abandon(attempt, body)
            raise
        else:
            wakeups.replication()
            return
    raise BusyError(
        "No region can take an upload at this moment. Nothing stored is affected, and restores "
        "go on; the upload will be taken as soon as a region is back."
    )


def record_or_clear(
    access: Access, name: ObjectName, *, attempt: Attempt, body: HashedBody, lock: str
) -> None:
    """Commit what is in the store, or remove it again if it is refused or not needed.

    Nobody writes it any more, so that need not wait for the sweep, which does it if this fails.
    Whether a commit that the database did not answer has happened is not for this to guess.
    """
    try:
        if record(access, name, attempt=attempt, body=body, lock=lock):
            return
    except RefusedError:
        _doom(attempt)
        _clear(attempt)
        raise
    _clear(attempt)


def _clear(attempt: Attempt) -> None:
    """Remove the bytes of an upload that became nothing.

    If it took so long that it was given up and swept meanwhile, it has no row any more.
    """
    mine = Attempt.objects.filter(pk=attempt.pk)
    if not mine.exclude(state=Attempt.State.DOOMED, replica=None).exists():
        with suppress(RegionError):
            store_of(attempt.region).delete(attempt.key)
            _forget(attempt)


@transaction.atomic
def _forget(attempt: Attempt) -> None:
    gone = Attempt.objects.filter(pk=attempt.pk, state=Attempt.State.DOOMED, replica=None)
    if lock_order.lock(gone):
        quota.settle(attempt)
        SweptAttempt.note([attempt.pk])
        gone.delete()


def _sorry(error: RegionError) -> BusyError:
    if isinstance(error, RegionFullError):
        return BusyError("A region ran full during the upload; send it again for another one.")
    return BusyError("A region failed during the upload; send it again for another one.")


@transaction.atomic
def begin(access: Access, name: ObjectName, *, region: Region, size: int) -> Attempt:
    attempt = Attempt.objects.create(
        vault=access.vault,
        type=name.type,
        name=name.name,
        region=region,
        credential=access.credential,
        due_at=clock.now() + settings.ATTEMPT_LIFETIME,
    )
    account = access.vault.account
    quota.reserve(attempt, account=account, size=size, allowance=access.allowance)
    return attempt


@transaction.atomic
def _abandon(attempt: Attempt, body: HashedBody) -> None:
    """Give an upload up, and doom its bytes, if any.

    What the store may have taken is held against the quota until it is swept. It has taken nothing
    unless it got the last piece.
    """
    _doom(attempt)
    if not body.is_whole:
        quota.settle(attempt)


def _doom(attempt: Attempt) -> None:
    Attempt.objects.filter(pk=attempt.pk, state=Attempt.State.WRITING).update(
        state=Attempt.State.DOOMED, due_at=clock.now() + replicas.DOOM_DELAY
    )


def record(
    access: Access, name: ObjectName, *, attempt: Attempt, body: HashedBody, lock: str = ""
) -> bool:
    """Commit the upload as a new object or a further replica; return whether it became either."""
    became = commit(access, [Arrival(attempt, body.size, body.digest)], lock=lock)
    if attempt.pk not in became:
        raise BusyError(
            "The upload took too long, or its region was taken out of use meanwhile; send it again."
        )
    return became[attempt.pk]


def _is_safe(obj: StoredObject) -> bool:
    """Return whether the object is live with a good replica, so that no new bytes are needed."""
    return obj.is_live and obj.replicas.readable().exists()


@transaction.atomic
def _confirm(access: Access, name: ObjectName) -> bool:
    """Return whether the object is still safe after its repeat was read.

    What is on record is: no fence asks about that again.
    """
    vault = sequence.lock(access.vault)
    access.renewed().require_create(name.type)
    existing = StoredObject.objects.named(vault, name).first()
    return existing is not None and _is_safe(existing)
