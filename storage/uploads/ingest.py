"""The write path, from top to bottom.

credential -> vault -> name -> quota held -> bytes to a fresh attempt, hashed on the way -> one
transaction: the object, its lifetime, its copies, the settlement -> 200 -> a nudge to the workers.

Whatever fails before that transaction leaves nothing but a doomed attempt for the sweep, and
whatever is answered with 200 is durable in one region and on record.
"""

import logging
from contextlib import suppress

from django.conf import settings
from django.db import transaction

from backup_service import clock
from storage import object_sizes, wakeups
from storage.body import Body
from storage.database import lock_order
from storage.database.connections import lend_connection
from storage.errors import BusyError, ForbiddenError, RefusedError
from storage.models import (
    Attempt,
    Credential,
    Region,
    StoredObject,
    SweptAttempt,
    Vault,
)
from storage.object_names import ObjectName, ObjectType
from storage.objects import placement, replicas
from storage.stores.base import RegionError, RegionFullError
from storage.stores.registry import store_of
from storage.vaults import index_freshness, lifetimes, locks, quota, sequence
from storage.vaults.access import Access

log = logging.getLogger(__name__)
MOST_KEYS = 10


def deposit(
    access: Access, name: ObjectName, body: Body, *, into: Region | None = None, lock: str = ""
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
    existing = _find(access.vault, name)
    if existing is not None and _is_safe(existing):
        lend_connection()
        body.drain()
        _require_same(existing, body)
        if _confirm(access, name):
            return
        raise BusyError("The object was removed at this very moment; send it again.")
    if name.type is ObjectType.SNAPSHOT:
        index_freshness.require_fresh(access.credential, access.vault, lock=lock)
    _write_and_commit(access, name, body, into=into, lock=lock)


def _write_and_commit(
    access: Access, name: ObjectName, body: Body, *, into: Region | None, lock: str
) -> None:
    order = [(into, store_of(into))] if into else placement.write_order(access.vault.account)
    for region, store in order:
        attempt = _begin(access, name, region=region, size=body.size)
        try:
            key = attempt.key
            lend_connection()
            store.put(key, body, body.size)
            body.drain()  # a store may stop at the last byte; the verdict is still wanted
            _put_on_record(access, name, attempt=attempt, body=body, lock=lock)
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


def _put_on_record(
    access: Access, name: ObjectName, *, attempt: Attempt, body: Body, lock: str
) -> None:
    """Commit what is in the store, or take it away again if nothing comes of it.

    Nobody writes it any more, so that need not wait for the sweep, which does it if this fails.
    Whether a commit that the database did not answer has happened is not for this to guess.
    """
    try:
        if _commit(access, name, attempt=attempt, body=body, lock=lock):
            return
    except RefusedError:
        _doom(attempt)
        _clear(attempt)
        raise
    _clear(attempt)


def _clear(attempt: Attempt) -> None:
    """Remove the bytes of an upload that came to nothing.

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
    if lock_order.hold(gone):
        quota.settle(attempt)
        SweptAttempt.note([attempt.pk])
        gone.delete()


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
    account = access.vault.account
    quota.reserve(attempt, account=account, size=size, allowance=allowance_of(access))
    return attempt


def allowance_of(access: Access) -> quota.Allowance:
    """Return how many bytes may be charged on behalf of this credential."""
    plan_quota = access.entitlements.quota
    if access.credential.scope == Credential.Scope.MAINTAIN:
        return quota.Allowance.for_upkeep(plan_quota)
    return quota.Allowance(plan_quota)


@transaction.atomic
def _abandon(attempt: Attempt, body: Body) -> None:
    """Give an upload up: its bytes, if any, are doomed.

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


@transaction.atomic
def _commit(
    access: Access, name: ObjectName, *, attempt: Attempt, body: Body, lock: str = ""
) -> bool:
    """Make the upload the object, or one more copy of it; return whether it became either.

    It does not where there is a good copy in this region already.

    What allowed it at its beginning may have ended meanwhile, so that is asked again.
    """
    vault = sequence.lock(access.vault)
    access = access.renewed()
    access.require_create(name.type)
    quota.require_within(access.vault.account, access.entitlements.quota)
    existing = _find(vault, name)
    if name.type is ObjectType.SNAPSHOT and not (existing and _is_live(existing)):
        index_freshness.require_fresh(access.credential, vault, lock=lock)
    if name.type is ObjectType.KEY:
        _require_few_keys(vault, name)
    won = Attempt.objects.filter(
        pk=attempt.pk, state=Attempt.State.WRITING, region__status__in=Region.READABLE
    ).update(state=Attempt.State.STORED, size=body.size)
    if not won:
        raise BusyError(
            "The upload took too long, or its region was taken out of use meanwhile; send it again."
        )
    if existing is None:
        _create(access, vault, attempt=attempt, body=body, name=name)
        return True
    _require_same(existing, body)
    locked = StoredObject.objects.select_for_update(no_key=True).get(pk=existing.pk)
    return join(access, vault, locked, attempt, may_come_again=False)


def join(
    access: Access,
    vault: Vault,
    existing: StoredObject,
    attempt: Attempt,
    *,
    may_come_again: bool = True,
) -> bool:
    """Let an upload of bytes that an object has already be one more copy, or revive it.

    Inside a transaction that holds the locks of `vault` and `existing`. Return whether it became a
    copy. If not, and if its bytes `may_come_again` after they were removed, they are held against
    the quota until they are swept. Raises OverQuotaError.
    """
    comes_back = existing.state in {StoredObject.State.TOMBSTONED, StoredObject.State.PURGING}
    if comes_back:
        lifetimes.revive(existing, vault, access.credential)
    if existing.state == StoredObject.State.LOST:
        StoredObject.objects.filter(pk=existing.pk).update(state=StoredObject.State.LIVE)
    is_copy = replicas.add(existing, attempt)
    continent = access.vault.account.continent
    replicas.ensure(existing, attempt.region, access.entitlements.copies, continent=continent)
    back = quota.cost(existing.size) if comes_back else 0
    if is_copy or not may_come_again:
        quota.settle(attempt, live=back, tombstoned=-back)
    elif comes_back:  # beside what is held, this needs room of its own
        quota.hold(access.vault.account, [existing.size], allowance_of(access))
        quota.book(vault.account_id, live=back, tombstoned=-back, reserved=-back)
    return is_copy


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
    lifetimes.begin(created, step)
    replicas.place(
        [replicas.Numbered(created.pk, created.sequence)],
        [attempt],
        promised=access.entitlements.copies,
        continent=access.vault.account.continent,
    )
    quota.settle(attempt, live=quota.cost(created.size))
    _after_create(vault, created)


def _after_create(vault: Vault, created: StoredObject) -> None:
    if created.type == ObjectType.CONFIG:
        Vault.objects.filter(pk=vault.pk, state=Vault.State.SETUP).update(state=Vault.State.ACTIVE)
    if created.type == ObjectType.SNAPSHOT:
        Vault.objects.filter(pk=vault.pk).update(
            last_snapshot_at=created.created_at, last_unread=None
        )
        setting_up = Credential.objects.filter(vault=vault).exclude(setup_until=None)
        Credential.objects.filter(pk__in=lock_order.hold(setting_up)).update(setup_until=None)


def _find(vault: Vault, name: ObjectName) -> StoredObject | None:
    return StoredObject.objects.filter(vault=vault, type=name.type, name=name.name).first()


def _is_live(held: StoredObject) -> bool:
    return held.state == StoredObject.State.LIVE


def _is_safe(held: StoredObject) -> bool:
    """Whether the object is live with a good copy, so that no new bytes are needed."""
    return _is_live(held) and held.replicas.readable().exists()


def _require_same(held: StoredObject, body: Body) -> None:
    if (held.sha256, held.size) != (body.digest, body.size):
        raise ForbiddenError(
            f"The vault has other bytes under the name {held.type}/{held.name} and keeps them."
        )


@transaction.atomic
def _confirm(access: Access, name: ObjectName) -> bool:
    """Whether the object is still safe after its repeat was read.

    What is on record is: no fence asks about that again.
    """
    vault = sequence.lock(access.vault)
    access.renewed().require_create(name.type)
    existing = _find(vault, name)
    return existing is not None and _is_safe(existing)


def _require_few_keys(vault: Vault, name: ObjectName) -> None:
    held = StoredObject.objects.filter(
        vault=vault, type=name.type, state=StoredObject.State.LIVE
    ).exclude(name=name.name)
    if held.count() >= MOST_KEYS:
        raise ForbiddenError(f"A vault has at most {MOST_KEYS} keys; remove one first.")
