"""Does undeletes: revives removed objects in batches, each one short transaction.

A row is leased; every batch is conditional on the lease and moves the row's cursor in the same
transaction. So a worker that is killed leaves a vault that the next one goes on with, and two
workers never do the same. What the purge has begun to take is left to it; the two never meet in one
object, since both lock the vault.
"""

import logging
import math
import time
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F, Q, QuerySet

from accounts import audit
from accounts.audit import OPERATOR, Actor
from backup_service import clock
from storage.counters import tally
from storage.database import bulk, lock_order
from storage.events import notices, rows, undelete_wording
from storage.models import (
    JournalEntry,
    Lifetime,
    Replica,
    StoredObject,
    Undelete,
    Vault,
    VaultEvent,
)
from storage.objects import damage
from storage.replication import backfill
from storage.rewind.requests import described, purged_count
from storage.rewind.selection import ORDER, Selection, State, Type
from storage.vaults import index_freshness, quota, sequence

log = logging.getLogger(__name__)
BATCH = 200  # objects
READ_WITHIN = timedelta(days=7)  # else a copy is read back again before it is relied on


def undelete_due(*, seconds: float = math.inf) -> int:
    """Go on with undeletes for up to `seconds`, the oldest first; return how many objects came."""
    until, revived = time.monotonic() + seconds, 0
    for pk in due().values_list("pk", flat=True):
        if time.monotonic() >= until:
            break
        revived += run(pk, until=until)
    return revived


def due() -> QuerySet[Undelete]:
    """Return the undeletes that nobody is at work on."""
    free = Q(lease_token="") | Q(lease_until__lt=clock.now())
    return Undelete.objects.filter(free, ended_at=None).order_by("created_at", "pk")


def run(pk: int, *, until: float = math.inf) -> int:
    """Go on with one undelete until a monotonic time; return how many objects came back.

    Does nothing while another worker is at it.
    """
    token, revived = uuid.uuid4().hex, 0
    if not due().filter(pk=pk).update(lease_token=token, lease_until=_lease()):
        return 0
    try:
        while time.monotonic() < until:
            came = step(pk, token)
            if came is None:
                break
            revived += came
    finally:
        Undelete.objects.filter(pk=pk, lease_token=token).update(lease_token="", lease_until=None)
    return revived


@tally.counting()
def step(pk: int, token: str) -> int | None:
    """Revive the next objects; return how many, or None if it is over or another's work now."""
    vault = sequence.lock(Vault.objects.get(undeletes=pk))
    mine = Undelete.objects.filter(pk=pk, lease_token=token, ended_at=None)
    row = mine.select_related("vault__account", "credential").first()
    if row is None:
        return None
    if row.kind >= len(ORDER):
        _end(row, vault)
        return None
    wanted = Selection.of(row).removed(ORDER[row.kind]).filter(pk__gt=row.cursor)
    locked = lock_order.lock(wanted, most=BATCH)
    page = list(StoredObject.objects.filter(pk__in=locked).order_by("pk"))
    if not page:
        mine.update(kind=row.kind + 1, cursor=0, lease_until=_lease())
        return 0
    with tally.changing(locked):
        lost = revive(vault, page)
    size = sum(one.size for one in page)
    mine.update(
        cursor=page[-1].pk,
        lease_until=_lease(),
        revived=F("revived") + len(page),
        revived_snapshots=F("revived_snapshots") + len(page) * (page[0].type == Type.SNAPSHOT),
        revived_bytes=F("revived_bytes") + size,
        lost=F("lost") + lost,
    )
    return len(page)


def revive(vault: Vault, gone: Sequence[StoredObject]) -> int:
    """Revive tombstoned objects of one type, all locked as is the vault; return how many are lost.

    Those have no good copy any more, and are asked back from the device like any other. Call
    inside `tally.changing`.
    """
    keys = [one.pk for one in gone]
    steps = sequence.ticks(vault, len(gone))
    StoredObject.objects.filter(pk__in=keys, state=State.TOMBSTONED).update(
        state=State.LIVE, tombstoned_at=None, tombstoned_by=None
    )
    numbers = [step.number for step in steps]
    bulk.insert(
        Lifetime,
        {"from_at": steps[0].at},
        {"object_id": keys, "from_sequence": numbers},
    )
    bulk.insert(
        JournalEntry,
        {"kind": JournalEntry.Kind.UNDELETE, "vault_id": vault.pk, "type": gone[0].type},
        {"name": [one.name for one in gone], "sequence": numbers},
    )
    lost = _look_after_copies(keys)
    back = sum(quota.cost(one.size) for one in gone)
    quota.book(vault.account_id, live=back, tombstoned=-back)
    if gone[0].type in index_freshness.GUARDED:
        Vault.bump_epoch(vault.pk)
    return lost


def _look_after_copies(objects: Sequence[int]) -> int:
    """Queue copies that are lacking, have old ones read back; return how many have none left."""
    copies = Replica.objects.filter(object__in=objects)
    lock_order.lock(copies)
    unread = copies.stored().filter(verified_at__lt=clock.now() - READ_WITHIN)
    unread.update(verified_at=None)
    there = set(copies.stored().values_list("object", flat=True))
    lost = [pk for pk in objects if pk not in there]
    for pk in lost:
        damage.note_loss(pk)
    backfill.queue_missing([pk for pk in objects if pk in there])
    return len(lost)


def _end(row: Undelete, vault: Vault) -> None:
    """Put on record that all that could come back is back."""
    now = max(clock.database_now(), vault.sequence_at)
    row.purged, row.ended_at = purged_count(Selection.of(row)), now
    row.lease_token, row.lease_until = "", None
    row.save(update_fields=["purged", "ended_at", "lease_token", "lease_until"])
    if row.revived_snapshots:
        Vault.objects.filter(pk=vault.pk).update(wiped_at=None, wipe_accepted_at=now)
    rows.add(
        vault.pk,
        VaultEvent.Kind.UNDELETE,
        now,
        credential=row.credential,
        count=row.revived,
        snapshots=row.revived_snapshots,
        bytes=row.revived_bytes,
        text=sentence(row),
    )
    audit.record(
        _asked_by(row),
        "vault.undeleted",
        row.vault.public_id,
        account=row.vault.account,
        what=described(row),
        objects=row.revived,
        snapshots=row.revived_snapshots,
        lost=row.lost,
        purged=row.purged,
    )
    notices.tell_of_undelete(vault, key=f"undelete:{row.pk}", text=sentence(row))


def _asked_by(row: Undelete) -> Actor:
    """Return whoever asked for it; without a person, an operator at the command line."""
    if row.actor is None:
        return replace(OPERATOR, label=row.actor_label)
    return replace(Actor.person(row.actor), label=row.actor_label)


def sentence(row: Undelete) -> str:
    """Say what came back, and what did not."""
    return undelete_wording.outcome(
        objects=row.revived,
        snapshots=row.revived_snapshots,
        what=described(row),
        lost=row.lost,
        purged=row.purged,
    )


def _lease() -> datetime:
    return clock.now() + settings.LEASE
