"""Presigned uploads: bytes go from the client straight to a region's store.

announce: names and sizes -> quota held for all of them at once -> an attempt and a presigned PUT
each. commit: attempts -> the store is asked for length and checksum, never the client -> one
transaction makes them objects, as after an upload through the gateway. What is never committed
is given up and swept like any upload that broke off; until then it is held against the quota.

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
class Announced:
    """An object that a client wants to send, and its size in bytes."""

    name: ObjectName
    size: int


class _Begun(NamedTuple):
    """An attempt that was begun: its id, and where its bytes shall be."""

    attempt: str
    key: StoreKey


THERE = ItemResult(ItemStatus.THERE)
WAITING = ItemResult(
    ItemStatus.BUSY, message="It waits for the packs of this batch; commit it again."
)


def announce(access: Access, wishes: Sequence[Announced]) -> list[ItemResult]:
    """Answer about each object that a client wants to send, in order.

    Raises ForbiddenError for the whole batch, TooLargeError or BadRequestError about it, or
    BusyError when too many are open.
    """
    _require_bounded(wishes)
    for kind in {wish.name.type for wish in wishes} & batch.TYPES:
        access.require_create(kind)
    verdicts = _judge(access, wishes)
    open_ones = [wish for wish in dict.fromkeys(wishes) if wish not in verdicts]
    if open_ones:
        verdicts |= _offer(access, open_ones)
    return [verdicts[wish] for wish in wishes]


def home(access: Access) -> tuple[Region, RegionStore] | None:
    """Return the region that takes the next upload, if clients may send to it themselves."""
    for region, store in placement.write_order(access.vault.account)[:1]:
        site = placement.site_of(region)
        if store.direct_transfers and not site.is_full and not site.is_away:
            return region, store
    return None


def _require_bounded(wishes: Sequence[Announced]) -> None:
    batch.require_few(len(wishes), "objects")
    total = sum(wish.size for wish in wishes)
    if len(wishes) > 1 and total > batch.MAX_BYTES:
        raise TooLargeError(f"A batch has at most {batch.MAX_BYTES} bytes, and there are {total}.")
    sizes: dict[ObjectName, int] = {}
    for wish in wishes:
        if sizes.setdefault(wish.name, wish.size) != wish.size:
            raise BadRequestError(f"The batch names {wish.name} twice, with two sizes.")


def _judge(access: Access, wishes: Sequence[Announced]) -> dict[Announced, ItemResult]:
    """Return the verdicts that need no store: there already, of another type, of no such size."""
    good = Replica.objects.readable().filter(object=models.OuterRef("pk"))
    held = (
        StoredObject.objects.live()
        .filter(
            models.Exists(good),
            vault=access.vault,
            name__in=[wish.name.name for wish in wishes],
        )
        .values_list("type", "name", "size")
    )
    sizes = {(kind, name): size for kind, name, size in held}
    verdicts = {}
    for wish in wishes:
        size = sizes.get((wish.name.type, wish.name.name))
        if wish.name.type not in batch.TYPES:
            verdicts[wish] = _gateway("Objects of this type go through the gateway.")
        elif size is not None and size != wish.size:
            what = f"The vault has {wish.name} with {size} bytes, not {wish.size}."
            verdicts[wish] = refused(BadRequestError(what))
        elif size is not None:
            verdicts[wish] = THERE
        elif trouble := trouble_with(wish.name, wish.size):
            verdicts[wish] = refused(trouble)
    return verdicts


def _offer(access: Access, wishes: Sequence[Announced]) -> dict[Announced, ItemResult]:
    place = home(access)
    if place is None:
        sorry = _gateway("The region that takes uploads now does so through the gateway only.")
        return dict.fromkeys(wishes, sorry)
    region, store = place
    if not _has_room(access, sum(wish.size for wish in wishes)):
        sorry = _gateway("Too many direct transfers of this vault were begun and not finished.")
        return dict.fromkeys(wishes, sorry)
    found = _reserve(access, region, wishes)
    until = clock.now() + timedelta(seconds=settings.DIRECT_SECONDS)
    verdicts = {}
    for wish, begun in found.items():
        if isinstance(begun, OverQuotaError):
            verdicts[wish] = refused(begun)
        else:
            verdicts[wish] = ItemResult(
                ItemStatus.PUT,
                attempt=begun.attempt,
                request=store.presign_put(
                    begun.key,
                    size=wish.size,
                    sha256=wish.name.name,
                    seconds=settings.DIRECT_SECONDS,
                ),
                until=until,
            )
    return verdicts


def _has_room(access: Access, size: int) -> bool:
    """Whether the bytes a vault may leave lying about stay within bounds."""
    lying = Attempt.objects.filter(
        vault=access.vault,
        state__in=[Attempt.State.WRITING, Attempt.State.DOOMED],
        due_at__gt=clock.now(),
        created_at__gt=clock.now() - settings.DIRECT_HOLD,
    ).aggregate(total=models.Sum("size"))
    return (lying["total"] or 0) + size <= OUTSTANDING


@transaction.atomic
def _reserve(
    access: Access, region: Region, wishes: Sequence[Announced]
) -> dict[Announced, _Begun | OverQuotaError]:
    """Make an attempt, with its quota held, for every object, or take up an open one."""
    found: dict[Announced, _Begun | OverQuotaError] = dict(_open_ones(access, region, wishes))
    fresh = [wish for wish in wishes if wish not in found]
    allowance = access.allowance
    try:
        quota.hold(access.vault.account, [wish.size for wish in fresh], allowance)
        granted = fresh
    except OverQuotaError:
        granted = []
        for wish in fresh:
            try:
                quota.hold(access.vault.account, [wish.size], allowance)
                granted.append(wish)
            except OverQuotaError as error:
                found[wish] = error
    quota.require_few_open(access.vault, len(granted))
    found |= _begin(access, region, granted)
    return found


def _open_ones(
    access: Access, region: Region, wishes: Sequence[Announced]
) -> dict[Announced, _Begun]:
    """Return this credential's attempts at the same objects, each with a longer life.

    A client that asks again, since it was killed or an answer was lost, holds no quota twice.
    """
    by_key = {(wish.name.type.value, wish.name.name, wish.size): wish for wish in wishes}
    mine = (
        _direct(access)
        .select_for_update(no_key=True)
        .filter(region=region, state=Attempt.State.WRITING, due_at__gt=clock.now())
        .filter(name__in=[wish.name.name for wish in wishes])
        .order_by("pk")  # whoever locks several takes them in this order, or two would deadlock
    )
    found = {}
    for pk, kind, name, size in mine.values_list("pk", "type", "name", "size"):
        wish = by_key.get((kind, name, size or 0))
        if wish is not None:
            found[wish] = _begun(access, wish, pk)
    if found:
        Attempt.objects.filter(pk__in=[begun.attempt for begun in found.values()]).update(
            due_at=clock.now() + settings.DIRECT_HOLD
        )
    return found


def _begun(access: Access, wish: Announced, attempt: str) -> _Begun:
    return _Begun(attempt, StoreKey(access.vault.public_id, wish.name, attempt))


def _begin(access: Access, region: Region, wishes: Sequence[Announced]) -> dict[Announced, _Begun]:
    begun = {wish: _begun(access, wish, new_attempt_id()) for wish in wishes}
    ids, sizes = [one.attempt for one in begun.values()], [wish.size for wish in wishes]
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
            "type": [wish.name.type.value for wish in wishes],
            "name": [wish.name.name for wish in wishes],
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
    """Make objects of what arrived in the store, and answer about each attempt, in order.

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
    verdicts = dict.fromkeys(set(ids) - {attempt.pk for attempt in attempts}, unknown)
    lend_connection()
    bad = arrival_check.look(one for one in attempts if one.state == Attempt.State.WRITING)
    for kind in (ObjectType.DATA, ObjectType.INDEX):
        group = [one for one in attempts if one.type == kind]
        if all(verdict.status is ItemStatus.STORED for verdict in verdicts.values()):
            verdicts |= _record(access, group, bad)
        else:
            verdicts |= {one.pk: bad.get(one.pk, WAITING) for one in group}
    wakeups.replication()
    return [verdicts[pk] for pk in ids]


def _record(
    access: Access, attempts: Sequence[Attempt], bad: dict[str, ItemResult]
) -> dict[str, ItemResult]:
    """Put on record what arrived, and answer about that and about what had ended before."""
    arrived = [one for one in attempts if one.state == Attempt.State.WRITING and one.pk not in bad]
    arrivals = [Arrival(one, one.size or 0, one.name, may_come_again=True) for one in arrived]
    won = put_on_record(access, arrivals)
    verdicts = {one.pk: bad[one.pk] for one in attempts if one.pk in bad}
    verdicts |= dict.fromkeys(won, ItemResult(ItemStatus.STORED))
    return verdicts | _settled(access, [one for one in attempts if one.pk not in verdicts])


@transaction.atomic
def give_up(access: Access, ids: Sequence[str]) -> None:
    """End transfers that will not be committed.

    Their bytes, if any came or still come, are swept when nothing can arrive any more, and are
    held against the quota until then.
    """
    mine = _direct(access).filter(pk__in=ids[: batch.MAX_OBJECTS], state=Attempt.State.WRITING)
    ended = lock_order.hold(mine)
    Attempt.objects.filter(pk__in=ended).update(state=Attempt.State.DOOMED)


def _settled(access: Access, attempts: Sequence[Attempt]) -> dict[str, ItemResult]:
    """Answer about attempts that had ended before."""
    if not attempts:
        return {}
    wishes = {
        one.pk: Announced(ObjectName(ObjectType(one.type), one.name), one.size or 0)
        for one in attempts
    }
    judged = _judge(access, list(wishes.values()))
    late = ItemResult(
        ItemStatus.EXPIRED, message="It took too long and was given up; announce it again."
    )
    return {
        pk: ItemResult(ItemStatus.STORED) if judged.get(wish) == THERE else late
        for pk, wish in wishes.items()
    }


def _direct(access: Access) -> models.QuerySet[Attempt]:
    return Attempt.objects.filter(
        vault=access.vault, credential=access.credential, size__isnull=False
    )


def _gateway(message: str) -> ItemResult:
    return ItemResult(ItemStatus.GATEWAY, message=message)
