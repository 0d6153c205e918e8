"""Notes removals: a credential's run of tombstones is one event, and in the end one audit row.

A run goes on until nothing has been removed for a few minutes. Where it takes everything, or all
snapshots but one, the event is a wipe (`events/wipes.py`).
"""

from datetime import timedelta

from django.db import transaction
from django.db.models import F

from accounts import audit
from accounts.audit import Actor
from backup_service import clock
from storage.events import rows, wipes
from storage.models import Credential, StoredObject, Vault, VaultEvent
from storage.vaults.sequence import Tick

QUIET = timedelta(minutes=5)  # after which a run is over
PAGE = 200  # runs that are closed at a time


def note(vault: Vault, obj: StoredObject, step: Tick, by: Credential) -> None:
    """Note that a credential removed an object, in the transaction that does so.

    The vault is locked. What a set-up that did not succeed leaves behind is no news.
    """
    if vault.state == Vault.State.SETUP and vault.last_snapshot_at is None:
        return
    is_snapshot = obj.type == StoredObject.Type.SNAPSHOT
    going_on = VaultEvent.objects.open_removals().filter(vault=vault, credential=by)
    counted = going_on.update(
        count=F("count") + 1,
        bytes=F("bytes") + obj.size,
        snapshots=F("snapshots") + int(is_snapshot),
        last_at=step.at,
    )
    if not counted:
        rows.add(
            vault.pk,
            VaultEvent.Kind.REMOVAL,
            step.at,
            key=f"removal:{by.pk}",
            credential=by,
            sequence=step.number,
            bytes=obj.size,
            snapshots=int(is_snapshot),
        )
    if is_snapshot:
        wipes.look(vault, going_on.get())


def close_ended() -> int:
    """Close the runs in which nothing was removed any more, with an audit row; return how many."""
    ended = VaultEvent.objects.open_removals().filter(last_at__lt=clock.database_now() - QUIET)
    closed = 0
    for event in ended.select_related("vault__account", "credential").order_by("last_at")[:PAGE]:
        closed += _close(event)
    return closed


@transaction.atomic
def _close(event: VaultEvent) -> bool:
    still = VaultEvent.objects.open_removals().filter(pk=event.pk, last_at=event.last_at)
    if not still.update(closed_at=clock.now(), key=""):
        return False  # it goes on
    by = event.credential
    prefix = by.prefix if by else ""
    audit.record(
        Actor.device_credential(prefix, label=by.label if by else ""),
        "vault.remove",
        event.vault.public_id,
        account=event.vault.account,
        credential=prefix,
        objects=event.count,
        snapshots=event.snapshots,
        bytes=event.bytes,
    )
    return True
