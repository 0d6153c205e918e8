"""Recognises the removal of everything, or of all snapshots but one, as a thief would do it.

Such a vault is at risk until its owner says that it was meant, or brings back what was removed. A
new backup does not end that: the computer makes one the same night, whoever emptied the vault, and
so may the thief.
"""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import models, transaction

from accounts import audit
from accounts.audit import Actor
from backup_service import clock
from storage.events import notices
from storage.models import Lifetime, StoredObject, Vault, VaultEvent
from storage.vaults import sequence

log = logging.getLogger(__name__)
MANY = 3  # snapshots, of which one alone is left
# With how many there were then it is compared, besides when the run began: slowly is no other way.
BEFORE = [timedelta(days=1), timedelta(days=7), timedelta(days=29)]


def is_wipe(*, left: int, before: Iterable[int]) -> bool:
    """Return whether it is alarming that `left` snapshots are left of as many as were `before`.

    None is always. One is where there were three or more at one of those moments: whoever keeps
    only the latest has two for a moment in every night.
    """
    most = max(before, default=0)
    return most > 0 if left == 0 else left == 1 and most >= MANY


def look(vault: Vault, event: VaultEvent) -> None:
    """Make a wipe of a removal if it is one; the vault is locked. Call after each snapshot."""
    live = StoredObject.objects.live().filter(vault=vault, type=StoredObject.Type.SNAPSHOT)
    left = live[:2].count()
    if left > 1:
        return
    if not is_wipe(left=left, before=_held_before(vault, event)):
        return
    made = VaultEvent.objects.filter(pk=event.pk).exclude(kind=VaultEvent.Kind.WIPE)
    if made.update(kind=VaultEvent.Kind.WIPE):
        Vault.objects.filter(pk=vault.pk, wiped_at=None).update(wiped_at=event.last_at)
        log.warning("of vault %s %d snapshots are left of many", vault.public_id, left)
        notices.tell_of_wipe(vault, event, left=left)


@transaction.atomic
def acknowledge(vault: Vault, *, actor: Actor) -> bool:
    """Note that a removal of everything was meant. Return whether there was one to speak of."""
    locked = sequence.lock(vault)
    noted = Vault.objects.filter(pk=locked.pk).exclude(wiped_at=None)
    if not noted.update(wiped_at=None, wipe_accepted_at=clock.database_now()):
        return False
    audit.record(actor, "vault.accept-removal", vault.public_id, account=vault.account)
    return True


def _held_before(vault: Vault, event: VaultEvent) -> list[int]:
    """Return how many snapshots there were when the run began, and on days before it.

    Nothing is compared with what was there before the owner accepted a removal.
    """
    snapshots = Lifetime.objects.filter(
        object__vault=vault, object__type=StoredObject.Type.SNAPSHOT
    )
    began = snapshots.filter(
        models.Q(to_sequence=None) | models.Q(to_sequence__gte=event.sequence),
        from_sequence__lt=event.sequence,
    )
    accepted = vault.wipe_accepted_at
    moments = [event.last_at - ago for ago in BEFORE]
    earlier = [
        _at(snapshots, moment) for moment in moments if accepted is None or moment >= accepted
    ]
    return [rows[:MANY].count() for rows in [began, *earlier]]


def _at(lifetimes: models.QuerySet[Lifetime], moment: datetime) -> models.QuerySet[Lifetime]:
    return lifetimes.filter(models.Q(to_at=None) | models.Q(to_at__gt=moment), from_at__lte=moment)
