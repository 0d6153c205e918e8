"""Counts changes of objects and replicas in the transaction that makes them.

What a transaction changes is summed up here and written by one statement at its end, when it holds
all its other locks (`database/lock_order.py`); a vault's counts are held only for the moment of
the commit, and nobody waits for another vault's.

    with tally.counting():              # the transaction; in it
        with tally.changing([obj.pk]):  # objects that are locked; reads them before and after
            ...
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import QuerySet

from storage.counters import situation
from storage.database import lock_order
from storage.models import ObjectCount, Replica, StoredObject


class Situation(NamedTuple):
    """What is counted together: objects of a vault, in a state, whose copies are spelled alike."""

    vault: int
    state: str
    copies: str


class Sum(NamedTuple):
    """How many objects, snapshots among them, and bytes."""

    objects: int
    snapshots: int
    bytes: int

    def plus(self, other: "Sum", times: int = 1) -> "Sum":
        """Return both together, the other one so many times."""
        return Sum(
            self.objects + times * other.objects,
            self.snapshots + times * other.snapshots,
            self.bytes + times * other.bytes,
        )


NOTHING = Sum(0, 0, 0)
Sums = dict[Situation, Sum]


@dataclass(frozen=True)
class _Tally:
    """What was counted so far, and the objects of which somebody counts all that becomes."""

    sums: Sums
    watched: frozenset[int] = frozenset()


_open: ContextVar[_Tally | None] = ContextVar("open_tally", default=None)


@contextmanager
def counting(watched: Collection[int] = ()) -> Iterator[None]:
    """Open a transaction, or go on with one, at whose end what was counted is written."""
    outer = _open.get()
    known = outer.watched if outer else frozenset[int]()
    mine = _Tally({}, known.union(watched))
    token = _open.set(mine)
    try:
        with transaction.atomic():
            yield
            if outer is None:
                write(mine.sums)
    finally:
        _open.reset(token)
    if outer is not None:
        add(mine.sums)


@contextmanager
def changing(objects: Collection[int]) -> Iterator[None]:
    """Count what becomes of objects (by primary key), whose rows the transaction has locked.

    Whatever changes them meanwhile need not count, and does not, should it try to.
    """
    mine = set(objects) - _watched()
    with counting(mine):
        add(of_objects(mine), -1)
        yield
        add(of_objects(mine))


@contextmanager
def changing_replicas(rows: QuerySet[Replica], *, most: int) -> Iterator[list[int]]:
    """Lock up to `most` replicas and their objects; count what becomes of them.

    Yields the replicas' primary keys, the least first.
    """
    with counting():
        found = list(rows.order_by("pk").values_list("pk", "object")[:most])
        objects = {obj for _, obj in found}
        lock_order.lock(StoredObject.objects.filter(pk__in=objects))
        locked = lock_order.lock(rows.filter(pk__in=[pk for pk, _ in found])) if found else []
        with changing(objects):
            yield locked


def total(kinds: Sequence[str], sizes: Sequence[int]) -> Sum:
    """Return the sum of objects, of these types and sizes in bytes."""
    return Sum(len(sizes), kinds.count(_SNAPSHOT), sum(sizes))


def add(sums: Mapping[Situation, Sum], times: int = 1) -> None:
    """Count objects so many times; inside `counting`."""
    there = _open.get()
    if there is None:
        raise RuntimeError("objects and replicas are changed inside `tally.counting` only")
    for where, some in sums.items():
        there.sums[where] = there.sums.get(where, NOTHING).plus(some, times)


def came(vault: int, some: Sum) -> None:
    """Count new objects of a vault, live and still without a copy."""
    add({Situation(vault, StoredObject.State.LIVE.value, ""): some})


def move(vault: int, some: Sum, *, before: str, after: str) -> None:
    """Count live objects of a vault whose copies were spelled `before`, and now are `after`."""
    live = StoredObject.State.LIVE.value
    add({Situation(vault, live, before): some}, -1)
    add({Situation(vault, live, after): some})


def state_changed(obj: StoredObject, *, before: str) -> None:
    """Count an object that is locked and has changed its state, and nothing else."""
    for where, some in of_objects({obj.pk} - _watched()).items():
        add({where._replace(state=str(before)): some}, -1)
        add({where: some})


def replica_changed(before: Replica) -> None:
    """Count one replica's change, given its row as it was; its object is locked."""
    was = situation.spell(
        before.region_id, before.state, before.since, is_parked=before.parked_at is not None
    )
    for where, some in of_objects({before.object_id} - _watched()).items():
        others = [one for one in where.copies.split() if _region(one) != _region(was)]
        add({where._replace(copies=situation.join([*others, was])): some}, -1)
        add({where: some})


def of_objects(objects: Collection[int]) -> Sums:
    """Return in which situations objects (by primary key) are now."""
    if not objects:
        return {}
    with connection.cursor() as cursor:
        # Of all that a change costs, Django's making of this statement would be the most.
        places = ", ".join(["%s"] * len(objects))
        cursor.execute(_WITH_REPLICAS.format(places), [*objects])
        return _sums_of(cursor.fetchall())


def _sums_of(rows: Iterable[tuple[Any, ...]]) -> Sums:
    """Sum up rows, one for each replica of an object."""
    about: dict[int, tuple[int, str, Sum]] = {}
    copies: dict[int, list[str]] = {}
    for pk, vault, state, kind, size, region, copy, since, parked in rows:
        about[pk] = (vault, state, total([kind], [size]))
        spelled = copies.setdefault(pk, [])
        if region is not None:
            moment = _moment(since)
            spelled.append(situation.spell(region, copy, moment, is_parked=parked is not None))
    sums: Sums = {}
    for pk, (vault, state, some) in about.items():
        where = Situation(vault, state, situation.join(copies[pk]))
        sums[where] = sums.get(where, NOTHING).plus(some)
    return sums


def _moment(value: datetime | str) -> datetime:
    """Return a moment as Django does, which SQLite has as a text in UTC."""
    if isinstance(value, datetime):
        return value
    return datetime.fromisoformat(value).replace(tzinfo=UTC)


def write(sums: Mapping[Situation, Sum]) -> None:
    """Add sums to the rows, in one order, so that two transactions never wait for each other."""
    changed = [(*where, *some) for where, some in sorted(sums.items()) if some != NOTHING]
    if not changed:
        return
    table = connection.ops.quote_name(ObjectCount._meta.db_table)
    values = ", ".join(["(%s, %s, %s, %s, %s, %s)"] * len(changed))
    added = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in _SUMMED)
    with connection.cursor() as cursor:
        cursor.execute(  # names are the model's own; every value is a parameter
            f"INSERT INTO {table} (vault_id, state, copies, {', '.join(_SUMMED)}) "  # noqa: S608
            f"VALUES {values} ON CONFLICT (vault_id, state, copies) DO UPDATE SET {added}",
            [value for row in changed for value in row],
        )


def _watched() -> frozenset[int]:
    there = _open.get()
    return there.watched if there else frozenset()


_SNAPSHOT = StoredObject.Type.SNAPSHOT.value
_WITH_REPLICAS = f"""
    SELECT o.id, o.vault_id, o.state, o.type, o.size, r.region_id, r.state, r.since, r.parked_at
    FROM {StoredObject._meta.db_table} o
    LEFT JOIN {Replica._meta.db_table} r ON r.object_id = o.id
    WHERE o.id IN ({{}})
"""  # noqa: S608 - the models' own names
_SUMMED = ("objects_held", "snapshots", "bytes")


def _region(spelled: str) -> str:
    return spelled[: next(at for at, one in enumerate(spelled) if one.isalpha())]
