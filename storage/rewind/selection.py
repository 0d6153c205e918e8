"""Says which removed objects a wish is about. Each answer is a query; nothing changes here.

A moment of a vault is what its lifetimes say of it. Of chosen snapshots the service cannot tell
which packs they need, so all data and index of the moment when they were last there come with them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet

from storage.models import (
    Credential,
    JournalEntry,
    Lifetime,
    StoredObject,
    Undelete,
    Vault,
    VaultEvent,
)

Type = StoredObject.Type
State = StoredObject.State
# Snapshots last: one that is seen again is whole, also where the work is interrupted.
ORDER = (Type.CONFIG, Type.KEY, Type.DATA, Type.INDEX, Type.SNAPSHOT)


@dataclass(frozen=True)
class Selection:
    """What is wanted of a vault, as it is kept in an `Undelete`.

    With a `credential`: what it removed from `moment` on. Else with `snapshots` (names): those,
    with the data and index that were there at `moment` or before the steps `sequences`. Else
    everything that was there at `moment`. What was removed after `removed_before` stays removed.
    """

    vault: Vault
    removed_before: datetime
    moment: datetime | None = None
    snapshots: tuple[str, ...] = ()
    sequences: tuple[int, ...] = ()
    credential: Credential | None = None

    @classmethod
    def of(cls, row: Undelete) -> "Selection":
        """Return what a row is about."""
        return cls(
            vault=row.vault,
            removed_before=row.removed_before,
            moment=row.moment,
            snapshots=tuple(row.snapshots),
            sequences=tuple(row.sequences),
            credential=row.credential,
        )

    def removed(self, kind: str, *, state: str = State.TOMBSTONED) -> QuerySet[StoredObject]:
        """Return the objects of a type that are wanted and can come back.

        With another `state`, those that are in it instead.
        """
        rows = StoredObject.objects.filter(
            vault=self.vault, type=kind, state=state, tombstoned_at__lte=self.removed_before
        )
        if self.credential is not None:
            return rows.filter(tombstoned_by=self.credential, tombstoned_at__gte=self.moment)
        if self.snapshots and kind == Type.SNAPSHOT:
            return rows.filter(name__in=self.snapshots)
        if kind == Type.KEY and self._opens():
            return rows.none()
        return rows.filter(Exists(self._lifetimes().filter(object=OuterRef("pk"))))

    def keys_left_out(self) -> int:
        """Return how many keys stay removed, since one of that moment still opens the vault.

        A key was removed so that its passphrase opens nothing any more.
        """
        if self.credential is not None or not self._opens():
            return 0
        keys = StoredObject.objects.filter(vault=self.vault, type=Type.KEY, state=State.TOMBSTONED)
        return keys.filter(Exists(self._lifetimes().filter(object=OuterRef("pk")))).count()

    def purged(self) -> QuerySet[JournalEntry]:
        """Return the purges, on record in the journal, of what was removed since and is wanted."""
        purges = JournalEntry.objects.filter(vault=self.vault, kind=JournalEntry.Kind.PURGE)
        of_its_name = {"vault": self.vault, "type": OuterRef("type"), "name": OuterRef("name")}
        tombstones = JournalEntry.objects.filter(
            self._journalled(), kind=JournalEntry.Kind.TOMBSTONE, **of_its_name
        )
        there = StoredObject.objects.filter(**of_its_name).exclude(state=State.PURGING)
        if self.snapshots:
            purges = purges.filter(Q(type__in=[Type.DATA, Type.INDEX]) | Q(name__in=self.snapshots))
        return purges.filter(Exists(tombstones), ~Exists(there))

    def _journalled(self) -> Q:
        if self.credential is not None:
            return Q(credential=self.credential, at__gte=self.moment)
        if self.moment is not None:
            return Q(at__gt=self.moment)
        return Q(sequence__gte=min(self.sequences, default=0))

    def _opens(self) -> bool:
        """Return whether a key that was there then is there now."""
        keys = StoredObject.objects.live().filter(vault=self.vault, type=Type.KEY)
        return keys.filter(Exists(self._lifetimes().filter(object=OuterRef("pk")))).exists()

    def _lifetimes(self) -> QuerySet[Lifetime]:
        """Return the lifetimes that cover the moment, or one of the steps."""
        if self.moment is not None:
            return Lifetime.objects.filter(
                Q(to_at=None) | Q(to_at__gt=self.moment), from_at__lte=self.moment
            )
        covers = Q(pk__in=[])
        for step in self.sequences:
            covers |= Q(from_sequence__lt=step) & (Q(to_sequence=None) | Q(to_sequence__gte=step))
        return Lifetime.objects.filter(covers)


def last_steps(vault: Vault, snapshots: Sequence[str]) -> list[int]:
    """Return the steps before which these removed snapshots were last whole.

    Who empties a vault may remove the data first. So it is the first step of the run of removals
    that took the snapshot, where that is known and the snapshot was there.
    """
    runs = list(VaultEvent.objects.filter(vault=vault, kind__in=VaultEvent.REMOVALS))
    ends = Lifetime.objects.filter(
        object__vault=vault,
        object__type=Type.SNAPSHOT,
        object__name__in=snapshots,
        object__state=State.TOMBSTONED,
    )
    last = {life.object_id: life for life in ends.select_related("object").order_by("to_sequence")}
    return sorted({_last_whole(life, runs) for life in last.values()})


def _last_whole(life: Lifetime, runs: Sequence[VaultEvent]) -> int:
    at, by = life.to_at, life.object.tombstoned_by_id
    firsts = [
        run.sequence
        for run in runs
        if at is not None and run.credential_id == by and run.first_at <= at <= run.last_at
    ]
    later = [first for first in firsts if first is not None and life.from_sequence < first]
    return min([life.to_sequence or 0, *later])
