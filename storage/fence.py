"""The fence: a client that read the index before somebody else pruned may not save a snapshot.

Such a client would deduplicate against packs that are gone, and its snapshot would look complete
and not be. Listing `index/` (which stock restic does at every start) renews its view.
"""

from django.db.models import F
from django.db.models.functions import Greatest

from storage.errors import StaleError
from storage.models import Credential, Vault
from storage.names import ObjectType

GUARDED = {ObjectType.DATA, ObjectType.INDEX}


def saw_index(credential: Credential, sequence: int) -> None:
    """Note that a credential listed the index when the vault's count stood at `sequence`."""
    Credential.objects.filter(pk=credential.pk, index_seen__lt=sequence).update(index_seen=sequence)


def removed(credential: Credential, kind: ObjectType, sequence: int) -> None:
    """Note that a credential took data or index away as change number `sequence`."""
    if kind in GUARDED:
        Credential.objects.filter(pk=credential.pk).update(
            last_removal=Greatest(F("last_removal"), sequence)
        )


def require_fresh(credential: Credential, vault: Vault) -> None:
    """Raise StaleError if another credential removed data after this one last saw the index."""
    seen = Credential.objects.values_list("index_seen", flat=True).get(pk=credential.pk)
    others = Credential.objects.filter(vault=vault).exclude(pk=credential.pk)
    if others.filter(last_removal__gt=seen).exists():
        raise StaleError(
            "This vault was pruned from elsewhere since this backup read its index, so the "
            "snapshot could refer to data that is gone, and it was not stored. Nothing is lost: "
            "run the backup again."
        )
