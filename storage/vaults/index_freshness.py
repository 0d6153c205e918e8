"""Refuses a snapshot of a run that read the index before something was pruned.

Such a client would deduplicate against packs that are gone, and its snapshot would look complete
and not be. What was seen belongs to the run, which its lock tells from others of the same
credential (`storage/vaults/client_runs.py`): whatever else reads the index meanwhile, and whoever
pruned.
"""

from django.conf import settings
from django.db.models import Exists, F, Max, OuterRef
from django.db.models.functions import Greatest

from backup_service import clock
from storage.errors import StaleError
from storage.models import Credential, JournalEntry, StoredObject, Vault
from storage.object_names import ObjectType
from storage.vaults import client_runs

GUARDED = {ObjectType.DATA, ObjectType.INDEX}


def saw_index(credential: Credential, sequence: int) -> None:
    """Note that a credential listed the index when the vault's count stood at `sequence`."""
    Credential.objects.filter(pk=credential.pk, index_seen__lt=sequence).update(index_seen=sequence)


def removed(credential: Credential, kind: ObjectType, sequence: int) -> None:
    """Note that a credential removed data or index as change number `sequence`."""
    if kind in GUARDED:
        Credential.objects.filter(pk=credential.pk).update(
            last_removal=Greatest(F("last_removal"), sequence)
        )


def require_fresh(credential: Credential, vault: Vault, *, lock: str = "") -> None:
    """Raise StaleError if data may be gone that this credential's run relies on.

    `lock` is the name of the run's lock, if it said so. A run without any lock cannot be told from
    others: it may save when nothing was removed within the grace period.
    """
    if _last_removal(vault) < 0:
        return
    begun = client_runs.beginnings(credential, vault, lock=lock)
    if begun:
        is_stale = _lacks_since(vault, min(begun))
    else:
        seen = Credential.objects.values_list("index_seen", flat=True).get(pk=credential.pk)
        is_stale = _lacks_since(vault, seen) or _lacks_since(vault, -1, within_grace=True)
    if is_stale:
        raise StaleError(
            "This vault was pruned since this backup began, or its lock was removed; nothing is "
            "lost, run the backup again. (The snapshot was not stored, since it could refer to "
            "data that is gone. If this comes again at once, wait ten minutes.)"
        )


def _last_removal(vault: Vault) -> int:
    rows = Credential.objects.filter(vault=vault)
    return rows.aggregate(newest=Max("last_removal"))["newest"] or -1


def _lacks_since(vault: Vault, sequence: int, *, within_grace: bool = False) -> bool:
    """Return whether data or index was removed after `sequence` and did not come back."""
    if sequence >= _last_removal(vault):
        return False
    live = StoredObject.objects.live().filter(
        vault=vault,
        type=OuterRef("type"),
        name=OuterRef("name"),
    )
    gone = JournalEntry.objects.filter(
        ~Exists(live),
        kind=JournalEntry.Kind.TOMBSTONE,
        vault=vault,
        type__in=GUARDED,
        sequence__gt=sequence,
    )
    if within_grace:
        gone = gone.filter(at__gt=clock.now() - settings.GRACE)
    return gone.exists()
