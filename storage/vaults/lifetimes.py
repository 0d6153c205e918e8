"""The validity intervals of objects, in the vault's own count."""

from storage.models import Credential, JournalEntry, Lifetime, StoredObject, Vault
from storage.vaults import sequence
from storage.vaults.sequence import Tick


def begin(held: StoredObject, step: Tick) -> None:
    """Let an object be there from `step` on."""
    Lifetime.objects.create(object=held, from_sequence=step.number, from_at=step.at)


def end(held: StoredObject, step: Tick) -> None:
    """Let an object be gone from `step` on."""
    Lifetime.objects.filter(object=held, to_sequence=None).update(
        to_sequence=step.number, to_at=step.at
    )


def revive(gone: StoredObject, vault: Vault, credential: Credential | None) -> None:
    """Bring a tombstoned object back to life, with a lifetime that begins now, on record.

    Copies whose bytes a purge has begun to remove were taken off the rows by that purge.
    """
    step = sequence.tick(vault)
    StoredObject.objects.filter(pk=gone.pk).update(
        state=StoredObject.State.LIVE, tombstoned_at=None, tombstoned_by=None
    )
    begin(gone, step)
    JournalEntry.note(JournalEntry.Kind.UNDELETE, gone, sequence=step.number, by=credential)
