"""Compares the counts with the rows, one vault after the other, and sets them right.

Both are read at one moment: counts change with the rows, so every moment is one at which they must
agree, whatever is written meanwhile. What differed is added, not overwritten, so it is right
whatever was counted since; nobody is kept waiting for that.
"""

import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import (
    Aggregate,
    BigIntegerField,
    Case,
    CharField,
    Count,
    Func,
    OuterRef,
    Q,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Cast, Coalesce, Concat

from backup_service import clock
from storage.counters import situation, tally
from storage.counters.tally import NOTHING, Situation, Sums
from storage.database import single_runner
from storage.models import ObjectCount, Recount, Replica, StoredObject, Vault

log = logging.getLogger(__name__)
EVERY = timedelta(hours=24)
PAGE = 100  # vaults
MOST_DROPPED = 10_000  # rows of nothing, at a time
JOB = "recount"  # one worker at a time does it, the command too


def recount_due(*, seconds: float = math.inf) -> int:
    """Go on with the day's walk for up to `seconds`, and mend; return how many vaults differed.

    Does nothing while another worker walks, or when the last walk ended less than a day ago.
    """
    until, before = time.monotonic() + seconds, 0
    with single_runner.alone(JOB) as is_mine:
        walk = Recount.objects.get_or_create(pk=1)[0]
        if not is_mine or not _is_due(walk):
            return 0
        before = walk.differed_so_far
        vaults = Vault.objects.order_by("pk")
        while page := list(vaults.filter(pk__gt=walk.cursor)[:PAGE]):
            for vault in page:
                is_mine.renew()
                walk.differed_so_far += bool(mend(vault))
                walk.cursor = vault.pk
                if time.monotonic() >= until:
                    walk.save()
                    return walk.differed_so_far - before
            walk.save()
        _end(walk)
        return walk.differed - before


def has_begun() -> bool:
    """Return whether a walk has begun and not ended."""
    return Recount.objects.filter(cursor__gt=0).exists()


def mend(vault: Vault) -> Sums:
    """Set a vault's counts right; return what was added. The caller has the job's lease."""
    differences = compare(vault)
    if differences:
        tally.write(differences)
        log.error(
            "the counts of vault %s differed from its rows in %s situations, and were set right",
            vault.public_id,
            len(differences),
        )
    return differences


def compare(vault: Vault) -> Sums:
    """Return what would have to be added to a vault's counts for them to agree with its rows."""
    with _one_moment():
        rows, books = counted(vault), _booked(vault)
    found = {
        where: rows.get(where, NOTHING).plus(books.get(where, NOTHING), -1)
        for where in {*rows, *books}
    }
    return {where: some for where, some in found.items() if some != NOTHING}


def counted(vault: Vault) -> Sums:
    """Count a vault's objects by their situation: one statement that reads every row."""
    of_object = Replica.objects.filter(object=OuterRef("pk")).order_by().values("object")
    spelled = of_object.annotate(text=_Joined(_spelled())).values("text")
    rows = (
        StoredObject.objects.filter(vault=vault)
        .annotate(copies=Coalesce(Subquery(spelled, output_field=CharField()), Value("")))
        .order_by()
        .values("state", "copies")
        .annotate(
            n=Count("pk"),
            snapshots=Count("pk", filter=Q(type=StoredObject.Type.SNAPSHOT)),
            size_of_all=Sum("size"),
        )
        .values_list("state", "copies", "n", "snapshots", "size_of_all")
    )
    sums: Sums = {}
    for state, copies, objects, snapshots, size in rows:
        where = Situation(vault.pk, state, situation.join(copies.split()))
        sums[where] = sums.get(where, NOTHING).plus(tally.Sum(objects, snapshots, size))
    return sums


def drop_empty() -> int:
    """Delete rows of nothing, some at a time; return how many."""
    empty = ObjectCount.objects.filter(objects_held=0, snapshots=0, bytes=0)
    with transaction.atomic():
        unused = empty.select_for_update(skip_locked=True).order_by("pk")
        page = list(unused.values_list("pk", flat=True)[:MOST_DROPPED])
        return empty.filter(pk__in=page).delete()[0]


def _is_due(walk: Recount) -> bool:
    now = clock.now()
    return walk.cursor > 0 or walk.ended_at is None or not now - EVERY < walk.ended_at <= now


def _end(walk: Recount) -> None:
    walk.cursor, walk.ended_at = 0, clock.now()
    walk.differed, walk.differed_so_far = walk.differed_so_far, 0
    walk.save()


def _booked(vault: Vault) -> Sums:
    rows = ObjectCount.objects.filter(vault=vault)
    fields = ("state", "copies", "objects_held", "snapshots", "bytes")
    return {
        Situation(vault.pk, state, copies): tally.Sum(objects, snapshots, size)
        for state, copies, objects, snapshots, size in rows.values_list(*fields)
    }


@contextmanager
def _one_moment() -> Iterator[None]:
    """Read everything as it was at one moment, whoever writes meanwhile."""
    is_outermost = not connection.in_atomic_block
    with transaction.atomic():
        if is_outermost and connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield


class _Span(Func):
    """A moment in spans since 1970, as `situation.spell` has it."""

    output_field = BigIntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        whole = (
            f"CAST(strftime('%%%%s', substr(%(expressions)s, 1, 19)) AS INTEGER) / {situation.SPAN}"
        )
        return self.as_sql(compiler, connection, template=whole, **context)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        whole = f"FLOOR(EXTRACT(EPOCH FROM %(expressions)s) / {situation.SPAN})::bigint"
        return self.as_sql(compiler, connection, template=whole, **context)


class _Joined(Aggregate):
    """Texts with spaces between them, in no order."""

    function = "STRING_AGG"
    template = "%(function)s(%(expressions)s, ' ')"
    output_field = CharField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, function="GROUP_CONCAT", **context)


def _spelled() -> Concat:
    """A replica's text, as `situation.spell` has it."""
    letters = [When(state=state, then=Value(letter)) for state, letter in situation.LETTERS.items()]
    mark = Case(When(parked_at=None, then=Value("")), default=Value("!"))
    waits = Concat(Cast(_Span("since"), CharField()), mark, output_field=CharField())
    since = Case(When(state=Replica.State.STORED, then=Value("")), default=waits)
    return Concat(
        Cast("region_id", CharField()),
        Case(*letters, output_field=CharField()),
        since,
        output_field=CharField(),
    )
