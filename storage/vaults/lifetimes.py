"""Records the validity intervals of objects, in their vault's sequence."""

from storage.models import Credential, JournalEntry, Lifetime, StoredObject, Vault
from storage.vaults import sequence
from storage.vaults.sequence import Tick


def begin(obj: StoredObject, step: Tick) -> None:
    """Begin an object's lifetime at `step`."""
    Lifetime.objects.create(object=obj, from_sequence=step.number, from_at=step.at)


def end(obj: StoredObject, step: Tick) -> None:
    """End an object's lifetime at `step`."""
    Lifetime.objects.filter(object=obj, to_sequence=None).update(
        to_sequence=step.number, to_at=step.at
    )


def revive(gone: StoredObject, vault: Vault, credential: Credential | None) -> None:
    """Revive a removed object, with a lifetime that begins now and a journal entry.

    Call inside `tally.changing`. Replicas whose bytes a purge has begun to remove were taken off
    the rows by that purge.
    """
    step = sequence.tick(vault)
    StoredObject.objects.filter(pk=gone.pk).update(
        state=StoredObject.State.LIVE, tombstoned_at=None, tombstoned_by=None
    )
    begin(gone, step)
    JournalEntry.note(JournalEntry.Kind.UNDELETE, gone, sequence=step.number, by=credential)
