"""Copies: PENDING, CORRUPT or MISSING -> copied, read back, STORED.

The bytes come from a good copy, are hashed on the way, and are read back from the new place
before the row says STORED. A region that answers "done" and stored nothing is found here.
"""

import logging
import math
import time
from datetime import timedelta

from django.conf import settings
from django.db import transaction

from backup_service import clock
from storage import copies, damage, leases
from storage.body import Body
from storage.errors import BadRequestError
from storage.models import Attempt, Replica, StoredObject
from storage.names import StoreKey
from storage.regions import store_of
from storage.regions.base import NoSuchKeyError, RegionError, RegionStore, UnreadableError

log = logging.getLogger(__name__)
BATCH = 16


class NoGoodCopyError(Exception):
    """There is nothing to copy from at this moment."""


def replicate_due(*, seconds: float = math.inf) -> int:
    """Make the copies that are due, batch by batch; return how many were made.

    No batch is begun after `seconds`, so that a long backlog leaves room for other work.
    """
    made = 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        batch = leases.claim(BATCH)
        if not batch.replicas:
            break
        made += sum(_replicate(replica, batch.token) for replica in batch.replicas)
    return made


def _replicate(replica: Replica, token: str) -> bool:
    if _is_back(replica):
        return _finish(replica, token, attempt=None)
    try:
        attempt = _begin(replica)
        _copy(replica, attempt)
    except (RegionError, NoGoodCopyError, BadRequestError, damage.BadCopyError) as error:
        log.warning("copy %s to %s put off: %s", replica.pk, replica.region.alias, error)
        leases.put_off(replica, token, str(error))
        return False
    return _finish(replica, token, attempt)


def _is_back(replica: Replica) -> bool:
    """Whether a copy that was missing or damaged is there and right after all."""
    if replica.attempt_id is None:
        return False
    try:
        damage.require_good(replica, replica.object)
    except (damage.BadCopyError, RegionError):
        return False
    return True


def _begin(replica: Replica) -> Attempt:
    held = replica.object
    return Attempt.objects.create(
        vault=held.vault,
        type=held.type,
        name=held.name,
        region=replica.region,
        due_at=clock.now() + settings.LEASE + timedelta(hours=1),
    )


def _copy(replica: Replica, attempt: Attempt) -> None:
    """Bring the bytes over and read them back; doom the attempt on any failure."""
    target = store_of(replica.region)
    try:
        _transfer(replica.object, target, attempt.key)
        _read_back(replica.object, target, attempt.key)
    except BaseException:
        copies.doom(Attempt.objects.filter(pk=attempt.pk))
        raise


def _transfer(held: StoredObject, target: RegionStore, key: StoreKey) -> None:
    for source in held.replicas.filter(state=Replica.State.STORED).select_related(
        "region", "attempt__vault"
    ):
        try:
            _from(source, held, target, key)
        except damage.BadCopyError:
            continue
        return
    raise NoGoodCopyError("no good copy can be read at this moment")


def _from(source: Replica, held: StoredObject, target: RegionStore, key: StoreKey) -> None:
    if source.attempt is None:
        raise damage.BadCopyError("no attempt")
    try:
        with store_of(source.region).open(source.attempt.key) as reader:
            body = Body(reader, size=held.size, sha256=held.sha256)
            target.put(key, body, held.size)
            body.drain()
    except (NoSuchKeyError, UnreadableError, BadRequestError) as error:
        damage.mark(source, error)
        raise damage.BadCopyError(str(error)) from error


def _read_back(held: StoredObject, target: RegionStore, key: StoreKey) -> None:
    with target.open(key) as reader:
        Body(reader, size=held.size, sha256=held.sha256).drain()


@transaction.atomic
def _finish(replica: Replica, token: str, attempt: Attempt | None) -> bool:
    """Record the new copy, or without one the old attempt, if the lease still holds."""
    StoredObject.objects.select_for_update(no_key=True).get(pk=replica.object_id)
    row = leases.held(replica, token).exclude(object__state=StoredObject.State.PURGING)
    current = row.select_related("attempt").first()
    if attempt is None:
        if current is None or current.attempt is None:
            return False
        copies.mark_stored(current, current.attempt, verified=True)
        return True
    won = Attempt.objects.filter(pk=attempt.pk, state=Attempt.State.WRITING).update(
        state=Attempt.State.STORED, size=replica.object.size
    )
    if not won or current is None:
        copies.doom(Attempt.objects.filter(pk=attempt.pk))
        return False
    if current.attempt_id is not None:
        copies.quarantine(current.attempt_id)
    copies.mark_stored(current, attempt, verified=True)
    return True
