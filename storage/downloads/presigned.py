"""Presigned downloads from a region's store, in batches or as a redirect."""

from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.db.models import QuerySet

from backup_service import clock
from storage.models import Replica, StoredObject
from storage.object_names import ObjectName
from storage.objects import batch, placement
from storage.objects.batch import ItemResult, ItemStatus
from storage.stores.base import PresignedRequest, RegionError
from storage.stores.registry import store_of
from storage.vaults.access import Access


def offer(access: Access, names: Sequence[ObjectName]) -> list[ItemResult]:
    """Answer about each object that a client wants to read, in order."""
    access.require_read()
    batch.require_few(len(names), "objects")
    wanted = [name.name for name in names]
    live = StoredObject.objects.live().filter(vault=access.vault, name__in=wanted)
    objects = {(one.type, one.name): one for one in live}
    by_object: dict[int, list[Replica]] = {}
    for replica in _stored(list(objects.values())):
        by_object.setdefault(replica.object_id, []).append(replica)
    return [_answer(access, objects.get((name.type, name.name)), by_object) for name in names]


def sign(obj: StoredObject) -> PresignedRequest | None:
    """Return a presigned GET of an object's good replica, or None if the gateway must give it."""
    return _sign(obj, list(_stored([obj]).select_related("attempt__vault")))


def _answer(
    access: Access, obj: StoredObject | None, by_object: dict[int, list[Replica]]
) -> ItemResult:
    if obj is None:
        return ItemResult(ItemStatus.UNKNOWN, message="This vault has no such object.")
    found = by_object.get(obj.pk, [])
    for replica in found:
        if replica.attempt is not None:
            replica.attempt.vault = access.vault
    request = _sign(obj, found)
    if request is None:
        return ItemResult(ItemStatus.GATEWAY, message="Read it through the gateway.")
    until = clock.now() + timedelta(seconds=settings.DIRECT_SECONDS)
    return ItemResult(ItemStatus.GET, size=obj.size, request=request, until=until)


def _stored(objects: Sequence[StoredObject]) -> QuerySet[Replica]:
    return (
        Replica.objects.readable()
        .filter(object__in=objects)
        .select_related("region", "attempt")
        .order_by("region__priority")
    )


def _sign(obj: StoredObject, replicas: Sequence[Replica]) -> PresignedRequest | None:
    if obj.type not in batch.TYPES:
        return None
    for replica in replicas:
        if replica.attempt is None or placement.candidate_of(replica.region).is_away:
            continue
        try:
            store = store_of(replica.region)
            if store.direct_transfers:
                return store.presign_get(replica.attempt.key, seconds=settings.DIRECT_SECONDS)
        except RegionError:
            continue
    return None
