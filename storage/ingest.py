"""The write path, from top to bottom.

credential -> vault -> name -> quota held -> bytes to a fresh attempt, hashed on the way -> one
transaction: the object, its lifetime, its copies, the settlement -> 200 -> a nudge to the workers.

Whatever fails before that transaction leaves nothing but a doomed attempt for the sweep, and
whatever is answered with 200 is durable in one region and on record.
"""

import logging
from datetime import timedelta

from django.conf import settings
from django.db import models, transaction

from backup_service import clock
from storage import fence, locks, nudge, placement, quota, sequence
from storage.access import Access
from storage.body import Body, WrongBytesError
from storage.connections import lend_connection
from storage.errors import BusyError, ForbiddenError, TooLargeError
from storage.models import Attempt, Credential, Lifetime, Region, Replica, StoredObject, Vault
from storage.names import ObjectName, ObjectType
from storage.regions.base import RegionError, RegionFullError

log = logging.getLogger(__name__)
MOST_KEYS = 10
# A doomed attempt's bytes are removed only when its writer must have ended.
DOOM_DELAY = timedelta(minutes=15)


def deposit(access: Access, name: ObjectName, body: Body) -> None:
    """Store one object of a vault. On return it is durable and on record.

    Raises a RefusedError whose status restic understands; then nothing was stored.
    """
    access.require_create(name.type)
    if body.size > name.size_limit:
        raise TooLargeError(
            f"An object of type {name.type} has at most {name.size_limit} bytes, "
            f"and {body.size} were announced."
        )
    if name.type is ObjectType.LOCK:
        locks.put(access, name, body)
        return
    if name.type is ObjectType.SNAPSHOT:
        fence.require_fresh(access.credential, access.vault)
    existing = _find(access.vault, name)
    if existing is not None and _is_safe(existing):
        lend_connection()
        body.drain()
        _require_same(existing, body)
        if _confirm(access, name):
            return
        raise BusyError("The object was removed at this very moment; send it again.")
    _write_and_commit(access, name, body)


def _write_and_commit(access: Access, name: ObjectName, body: Body) -> None:
    order = placement.write_order()
    for region, store in order:
        attempt = _begin(access, name, region=region, size=body.size)
        try:
            key = attempt.key
            lend_connection()
            store.put(key, body, body.size)
            body.drain()  # a store may stop at the last byte; the verdict is still wanted
            _commit(access, name, attempt=attempt, body=body)
        except RegionError as error:
            _abandon(attempt)
            placement.avoid(region.alias)
            log.warning("region %s refused an upload: %s", region.alias, error)
            if not body.is_untouched:
                raise _sorry(error) from error
        except BaseException:
            _abandon(attempt)
            raise
        else:
            nudge.replication()
            return
    raise BusyError(
        "No region can take an upload at this moment. Nothing stored is affected, and restores "
        "go on; the upload will be taken as soon as a region is back."
    )


def _sorry(error: RegionError) -> BusyError:
    if isinstance(error, RegionFullError):
        return BusyError("A region ran full during the upload; send it again for another one.")
    return BusyError("A region failed during the upload; send it again for another one.")


@transaction.atomic
def _begin(access: Access, name: ObjectName, *, region: Region, size: int) -> Attempt:
    attempt = Attempt.objects.create(
        vault=access.vault,
        type=name.type,
        name=name.name,
        region=region,
        credential=access.credential,
        due_at=clock.now() + settings.ATTEMPT_LIFETIME,
    )
    upkeep = access.credential.scope == Credential.Scope.MAINTAIN
    plan_quota = access.entitlements.quota
    allowance = quota.Allowance.for_upkeep(plan_quota) if upkeep else quota.Allowance(plan_quota)
    quota.reserve(attempt, account=access.vault.account, size=size, allowance=allowance)
    return attempt


@transaction.atomic
def _abandon(attempt: Attempt) -> None:
    """Give an upload up: its bytes, if any, are doomed, and its quota is free again."""
    Attempt.objects.filter(pk=attempt.pk, state=Attempt.State.WRITING).update(
        state=Attempt.State.DOOMED, due_at=clock.now() + DOOM_DELAY
    )
    quota.settle(attempt)


@transaction.atomic
def _commit(access: Access, name: ObjectName, *, attempt: Attempt, body: Body) -> None:
    """Make the upload the object, or one more copy of it, or nothing new."""
    vault = sequence.lock(access.vault)
    _require_still_allowed(access, name, vault)
    won = Attempt.objects.filter(pk=attempt.pk, state=Attempt.State.WRITING).update(
        state=Attempt.State.STORED, size=body.size
    )
    if not won:
        raise BusyError("The upload took too long and was given up; send it again.")
    existing = (
        StoredObject.objects.select_for_update(no_key=True)
        .filter(vault=vault, type=name.type, name=name.name)
        .first()
    )
    if existing is None:
        _create(access, vault, attempt=attempt, body=body, name=name)
        return
    _require_same(existing, body)
    if existing.state in {StoredObject.State.TOMBSTONED, StoredObject.State.PURGING}:
        revive(existing, vault)
        quota.settle(attempt, live=existing.size, tombstoned=-existing.size)
    else:
        quota.settle(attempt)
    if existing.state == StoredObject.State.LOST:
        StoredObject.objects.filter(pk=existing.pk).update(state=StoredObject.State.LIVE)
    _add_copy(existing, attempt)
    ensure_copies(existing, attempt.region, access.entitlements.copies)


def _create(
    access: Access, vault: Vault, *, attempt: Attempt, body: Body, name: ObjectName
) -> None:
    step = sequence.tick(vault)
    created = StoredObject.objects.create(
        vault=vault,
        type=name.type,
        name=name.name,
        size=body.size,
        sha256=body.digest,
        sequence=step.number,
        created_at=step.at,
        created_by=access.credential,
    )
    Lifetime.objects.create(object=created, from_sequence=step.number, from_at=step.at)
    _add_copy(created, attempt)
    ensure_copies(created, attempt.region, access.entitlements.copies)
    quota.settle(attempt, live=created.size)
    _after_create(vault, created)


def _after_create(vault: Vault, created: StoredObject) -> None:
    if created.type == ObjectType.CONFIG:
        Vault.objects.filter(pk=vault.pk, state=Vault.State.SETUP).update(state=Vault.State.ACTIVE)
    if created.type == ObjectType.SNAPSHOT:
        Vault.objects.filter(pk=vault.pk).update(last_snapshot_at=created.created_at)
        Credential.objects.filter(vault=vault).exclude(setup_until=None).update(setup_until=None)


def _add_copy(held: StoredObject, attempt: Attempt) -> None:
    """Point the region's replica at this attempt, unless a good copy is there already."""
    replica, _ = Replica.objects.get_or_create(
        object=held, region=attempt.region, defaults={"sequence": held.sequence}
    )
    if replica.state == Replica.State.STORED:
        doom(Attempt.objects.filter(pk=attempt.pk))
        return
    if replica.attempt_id is not None:
        quarantine(replica.attempt_id)
    mark_stored(replica, attempt)


def mark_stored(replica: Replica, attempt: Attempt, *, verified: bool = False) -> None:
    """Record that a replica's bytes are durable under `attempt`."""
    now = clock.now()
    Replica.objects.filter(pk=replica.pk).update(
        attempt=attempt,
        state=Replica.State.STORED,
        stored_at=now,
        verified_at=now if verified else None,
        lease_token="",
        lease_until=None,
        tries=0,
        parked_at=None,
        last_error="",
    )


def ensure_copies(held: StoredObject, home: Region, copies: int) -> None:
    """Put the further copies that the plan promises on the work list."""
    for region in placement.companions(home, copies):
        Replica.objects.get_or_create(
            object=held, region=region, defaults={"sequence": held.sequence}
        )


def revive(gone: StoredObject, vault: Vault) -> None:
    """Bring a tombstoned object back to life, with a lifetime that begins now.

    Copies whose bytes a purge has begun to remove were taken off the rows by that purge.
    """
    step = sequence.tick(vault)
    StoredObject.objects.filter(pk=gone.pk).update(
        state=StoredObject.State.LIVE, tombstoned_at=None, tombstoned_by=None
    )
    Lifetime.objects.create(object=gone, from_sequence=step.number, from_at=step.at)


def doom(attempts: models.QuerySet[Attempt]) -> int:
    """Give attempts' bytes to the sweep; no row may point to them any more."""
    return attempts.update(state=Attempt.State.DOOMED, due_at=clock.now() + DOOM_DELAY)


def quarantine(attempt_id: str) -> None:
    """Keep an attempt's damaged bytes aside; they are never overwritten."""
    Replica.objects.filter(attempt_id=attempt_id).update(attempt=None, state=Replica.State.PENDING)
    Attempt.objects.filter(pk=attempt_id).update(state=Attempt.State.QUARANTINED)


def _find(vault: Vault, name: ObjectName) -> StoredObject | None:
    return StoredObject.objects.filter(vault=vault, type=name.type, name=name.name).first()


def _is_safe(held: StoredObject) -> bool:
    """Whether the object is live with a good copy, so that no new bytes are needed."""
    return (
        held.state == StoredObject.State.LIVE
        and held.replicas.filter(state=Replica.State.STORED).exists()
    )


def _require_same(held: StoredObject, body: Body) -> None:
    if (held.sha256, held.size) != (body.digest, body.size):
        raise WrongBytesError(
            f"The vault has other bytes under the name {held.type}/{held.name} and keeps them."
        )


@transaction.atomic
def _confirm(access: Access, name: ObjectName) -> bool:
    """Whether the object is still safe after its repeat was read."""
    _require_still_allowed(access, name, sequence.lock(access.vault))
    existing = _find(access.vault, name)
    return existing is not None and _is_safe(existing)


def _require_still_allowed(access: Access, name: ObjectName, vault: Vault) -> None:
    if name.type is ObjectType.SNAPSHOT:
        fence.require_fresh(access.credential, vault)
    if name.type is ObjectType.KEY:
        held = StoredObject.objects.filter(
            vault=vault, type=name.type, state=StoredObject.State.LIVE
        ).exclude(name=name.name)
        if held.count() >= MOST_KEYS:
            raise ForbiddenError(f"A vault has at most {MOST_KEYS} keys; remove one first.")
