"""Presigned uploads, whose bytes go from the client straight to a region's store.

announce: names and sizes -> quota reserved for all of them at once -> an attempt and a presigned
PUT each. commit: attempts -> the store is asked for length and checksum, never the client -> one
transaction makes them objects, as after an upload through the gateway. What is never committed is
given up and swept like any upload that broke off; until then it is held against the quota.

Only stores that enforce what is signed take part (`direct_transfers` of the contract); everything
else is answered with "use the gateway".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import models, transaction

from backup_service import clock
from storage import wakeups
from storage.database import bulk, lock_order
from storage.database.connections import lend_connection
from storage.errors import BadRequestError, OverQuotaError, TooLargeError
from storage.models import Attempt, Region, Replica, Reservation, StoredObject
from storage.models.replicas import new_attempt_id
from storage.object_names import GIB, ObjectName, ObjectType, StoreKey
from storage.object_sizes import trouble_with
from storage.objects import batch, placement
from storage.objects.batch import ItemResult, ItemStatus, refused
from storage.objects.commit import Arrival
from storage.objects.commit import commit as put_on_record
from storage.stores.base import RegionStore
from storage.uploads import arrival_check
from storage.vaults import quota
from storage.vaults.access import Access

OUTSTANDING = 8 * GIB  # bytes of a vault's transfers that are neither committed nor swept


@dataclass(frozen=True)
class Announcement:
    """An object that a client wants to send, and its size in bytes."""

    name: ObjectName
    size: int


class _Begun(NamedTuple):
    """An attempt that was begun: its id and its store key."""

    attempt: str
    key: StoreKey


THERE = ItemResult(ItemStatus.THERE)
WAITING = ItemResult(
    ItemStatus.BUSY, message="It waits for the packs of this batch; commit it again."
)


def announce(access: Access, items: Sequence[Announcement]) -> list[ItemResult]:
    """Answer about each object that a client wants to send, in order.

    Raises ForbiddenError for the whole batch, TooLargeError or BadRequestError about it, or
    BusyError when too many are open.
    """
    _require_bounded(items)
    for kind in {item.name.type for item in items} & batch.TYPES:
        access.require_create(kind)
    results = _judge(access, items)
    open_ones = [item for item in dict.fromkeys(items) if item not in results]
    if open_ones:
        results |= _offer(access, open_ones)
    return [results[item] for item in items]


def home(access: Access) -> tuple[Region, RegionStore] | None:
    """Return the region that takes the next upload, if clients may send to it themselves."""
    for region, store in placement.write_order(access.vault.account)[:1]:
        candidate = placement.candidate_of(region)
        if store.direct_transfers and not candidate.is_full and not candidate.is_away:
            return region, store
    return None


def _require_bounded(items: Sequence[Announcement]) -> None:
    batch.require_few(len(items), "objects")
    total = sum(item.size for item in items)
    if len(items) > 1 and total > batch.MAX_BYTES:
        raise TooLargeError(f"A batch has at most {batch.MAX_BYTES} bytes, and there are {total}.")
    sizes: dict[ObjectName, int] = {}
    for item in items:
        if sizes.setdefault(item.name, item.size) != item.size:
            raise BadRequestError(f"The batch names {item.name} twice, with two sizes.")


def _judge(access: Access, items: Sequence[Announcement]) -> dict[Announcement, ItemResult]:
    """Return the results that need no store: there already, of another type, of no such size."""
    good = Replica.objects.readable().filter(object=models.OuterRef("pk"))
    there = (
        StoredObject.objects.live()
        .filter(
            models.Exists(good),
            vault=access.vault,
            name__in=[item.name.name for item in items],
        )
        .values_list("type", "name", "size")
    )
    sizes = {(kind, name): size for kind, name, size in there}
    results = {}
    for item in items:
        size = sizes.get((item.name.type, item.name.name))
        if item.name.type not in batch.TYPES:
            results[item] = _gateway("Objects of this type go through the gateway.")
        elif size is not None and size != item.size:
            what = f"The vault has {item.name} with {size} bytes, not {item.size}."
            results[item] = refused(BadRequestError(what))
        elif size is not None:
            results[item] = THERE
        elif trouble := trouble_with(item.name, item.size):
            results[item] = refused(trouble)
    return results


def _offer(access: Access, items: Sequence[Announcement]) -> dict[Announcement, ItemResult]:
    target = home(access)
    if target is None:
        sorry = _gateway("The region that takes uploads now does so through the gateway only.")
        return dict.fromkeys(items, sorry)
    region, store = target
    if not _has_room(access, sum(item.size for item in items)):
        sorry = _gateway("Too many direct transfers of this vault were begun and not finished.")
        return dict.fromkeys(items, sorry)
    found = reserve(access, region, items)
    until = clock.now() + timedelta(seconds=settings.DIRECT_SECONDS)
    results = {}
    for item, begun in found.items():
        if isinstance(begun, OverQuotaError):
            results[item] = refused(begun)
        else:
            results[item] = ItemResult(
                ItemStatus.PUT,
                attempt=begun.attempt,
                request=store.presign_put(
                    begun.key,
                    size=item.size,
                    sha256=item.name.name,
                    seconds=settings.DIRECT_SECONDS,
                ),
                until=until,
            )
    return results


def _has_room(access: Access, size: int) -> bool:
    """Return whether a vault's uncommitted bytes would stay within their bound."""
    lying = Attempt.objects.filter(
        vault=access.vault,
        state__in=[Attempt.State.WRITING, Attempt.State.DOOMED],
        due_at__gt=clock.now(),
        created_at__gt=clock.now() - settings.DIRECT_HOLD,
    ).aggregate(total=models.Sum("size"))
    return (lying["total"] or 0) + size <= OUTSTANDING


@transaction.atomic
def reserve(
    access: Access, region: Region, items: Sequence[Announcement]
) -> dict[Announcement, _Begun | OverQuotaError]:
    """Make an attempt, with its quota reserved, for every item, or reuse an open one."""
    found: dict[Announcement, _Begun | OverQuotaError] = dict(_open_ones(access, region, items))
    fresh = [item for item in items if item not in found]
    allowance = access.allowance
    try:
        quota.reserve_bytes(access.vault.account, [item.size for item in fresh], allowance)
        granted = fresh
    except OverQuotaError:
        granted = []
        for item in fresh:
            try:
                quota.reserve_bytes(access.vault.account, [item.size], allowance)
                granted.append(item)
            except OverQuotaError as error:
                found[item] = error
    quota.require_few_open(access.vault, len(granted))
    found |= _begin(access, region, granted)
    return found


def _open_ones(
    access: Access, region: Region, items: Sequence[Announcement]
) -> dict[Announcement, _Begun]:
    """Return this credential's open attempts at the same objects, extending each.

    A client that asks again, since it was killed or an answer was lost, holds no quota twice.
    """
    by_key = {(item.name.type.value, item.name.name, item.size): item for item in items}
    mine = (
        _direct(access)
        .select_for_update(no_key=True)
        .filter(region=region, state=Attempt.State.WRITING, due_at__gt=clock.now())
        .filter(name__in=[item.name.name for item in items])
        .order_by("pk")  # whoever locks several takes them in this order, or two would deadlock
    )
    found = {}
    for pk, kind, name, size in mine.values_list("pk", "type", "name", "size"):
        item = by_key.get((kind, name, size or 0))
        if item is not None:
            found[item] = _begun(access, item, pk)
    if found:
        Attempt.objects.filter(pk__in=[begun.attempt for begun in found.values()]).update(
            due_at=clock.now() + settings.DIRECT_HOLD
        )
    return found


def _begun(access: Access, item: Announcement, attempt: str) -> _Begun:
    return _Begun(attempt, StoreKey(access.vault.public_id, item.name, attempt))


def _begin(
    access: Access, region: Region, items: Sequence[Announcement]
) -> dict[Announcement, _Begun]:
    begun = {item: _begun(access, item, new_attempt_id()) for item in items}
    ids, sizes = [one.attempt for one in begun.values()], [item.size for item in items]
    bulk.insert(
        Attempt,
        {
            "vault_id": access.vault.pk,
            "region_id": region.pk,
            "credential_id": access.credential.pk,
            "due_at": clock.now() + settings.DIRECT_HOLD,
        },
        {
            "id": ids,
            "type": [item.name.type.value for item in items],
            "name": [item.name.name for item in items],
            "size": sizes,
        },
    )
    bulk.insert(
        Reservation,
        {"account_id": access.vault.account_id},
        {"attempt_id": ids, "size": [quota.cost(size) for size in sizes]},
    )
    return begun


def commit(access: Access, ids: Sequence[str]) -> list[ItemResult]:
    """Commit what arrived in the store, and answer about each attempt, in order.

    Repeating it is safe: what is on record already is answered with "stored". Index files go on
    record only when all else of the batch is, since they may speak of packs in it.
    """
    batch.require_few(len(ids), "attempts")
    attempts = list(_direct(access).filter(pk__in=ids))
    regions = Region.objects.in_bulk({attempt.region_id for attempt in attempts})
    for attempt in attempts:
        attempt.vault, attempt.region = access.vault, regions[attempt.region_id]
        access.require_create(ObjectType(attempt.type))
    unknown = ItemResult(ItemStatus.UNKNOWN, message="This credential began no such transfer.")
    results = dict.fromkeys(set(ids) - {attempt.pk for attempt in attempts}, unknown)
    lend_connection()
    bad = arrival_check.check(one for one in attempts if one.state == Attempt.State.WRITING)
    for kind in (ObjectType.DATA, ObjectType.INDEX):
        group = [one for one in attempts if one.type == kind]
        if all(result.status is ItemStatus.STORED for result in results.values()):
            results |= _record(access, group, bad)
        else:
            results |= {one.pk: bad.get(one.pk, WAITING) for one in group}
    wakeups.replication()
    return [results[pk] for pk in ids]


def _record(
    access: Access, attempts: Sequence[Attempt], bad: dict[str, ItemResult]
) -> dict[str, ItemResult]:
    """Commit what arrived, and answer about that and about attempts that had ended before."""
    arrived = [one for one in attempts if one.state == Attempt.State.WRITING and one.pk not in bad]
    arrivals = [Arrival(one, one.size or 0, one.name, may_come_again=True) for one in arrived]
    won = put_on_record(access, arrivals)
    results = {one.pk: bad[one.pk] for one in attempts if one.pk in bad}
    results |= dict.fromkeys(won, ItemResult(ItemStatus.STORED))
    return results | _settled(access, [one for one in attempts if one.pk not in results])


@transaction.atomic
def give_up(access: Access, ids: Sequence[str]) -> None:
    """End attempts that will not be committed.

    Their bytes, if any came or still come, are swept when nothing can arrive any more, and are
    held against the quota until then.
    """
    mine = _direct(access).filter(pk__in=ids[: batch.MAX_OBJECTS], state=Attempt.State.WRITING)
    ended = lock_order.lock(mine)
    Attempt.objects.filter(pk__in=ended).update(state=Attempt.State.DOOMED)


def _settled(access: Access, attempts: Sequence[Attempt]) -> dict[str, ItemResult]:
    """Answer about attempts that had ended before."""
    if not attempts:
        return {}
    items = {
        one.pk: Announcement(ObjectName(ObjectType(one.type), one.name), one.size or 0)
        for one in attempts
    }
    judged = _judge(access, list(items.values()))
    late = ItemResult(
        ItemStatus.EXPIRED, message="It took too long and was given up; announce it again."
    )
    return {
        pk: ItemResult(ItemStatus.STORED) if judged.get(item) == THERE else late
        for pk, item in items.items()
    }


def _direct(access: Access) -> models.QuerySet[Attempt]:
    return Attempt.objects.filter(
        vault=access.vault, credential=access.credential, size__isnull=False
    )


def _gateway(message: str) -> ItemResult:
    return ItemResult(ItemStatus.GATEWAY, message=message)
