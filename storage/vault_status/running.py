"""Tells which vaults are being backed up into at this moment, in one query.

A run is known by its lock, which it renews every few minutes; what it sends is counted with its
credential until its snapshot comes. A restore holds a lock as well and sends nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, QuerySet

from backup_service import clock
from storage.models import Attempt, Credential, Lock, Vault
from storage.vaults.client_runs import SILENT_AFTER

MOST = 500  # locks looked at


@dataclass(frozen=True)
class Run:
    """A backup that goes on. `received` bytes came since the vault's snapshot before.

    `may_be_prune`: its credential may remove as well, and a prune stores anew what it keeps.
    """

    vault_id: str
    vault_name: str
    began_at: datetime
    received: int
    may_be_prune: bool


def runs_in(vaults: QuerySet[Vault]) -> list[Run]:
    """Return what runs in these vaults, one for each, by the vaults' names."""
    locks = _of_writers(vaults)
    found: dict[int, dict[int, Lock]] = {}
    for lock in locks:
        found.setdefault(lock.vault_id, {}).setdefault(lock.credential_id, lock)
    runs = [_run(list(of_vault.values())) for of_vault in found.values()]
    return sorted(runs, key=lambda run: (run.vault_name.casefold(), run.vault_id))


def _of_writers(vaults: QuerySet[Vault]) -> Iterable[Lock]:
    """Return locks whose credentials store something, each one's oldest run first."""
    now = clock.now()
    in_flight = Attempt.objects.filter(
        vault=OuterRef("vault"),
        credential=OuterRef("credential"),
        state=Attempt.State.WRITING,
        due_at__gt=now,
    )
    living = (
        Lock.objects.filter(vault__in=vaults.order_by(), created_at__gt=now - SILENT_AFTER)
        .exclude(credential__scope=Credential.Scope.RESTORE)
        .select_related("vault", "credential")
        .defer("body")
        .annotate(is_sending=Exists(in_flight))
        .order_by("began_at", "pk")[:MOST]
    )
    return [lock for lock in living if getattr(lock, "is_sending", False) or _has_sent(lock)]


def _has_sent(lock: Lock) -> bool:
    """Return whether something came by its credential, and something changed in its time."""
    return lock.credential.added_bytes > 0 and lock.vault.sequence_at >= lock.began_at


def _run(locks: list[Lock]) -> Run:
    vault = locks[0].vault
    return Run(
        vault_id=vault.public_id,
        vault_name=vault.name,
        began_at=locks[0].began_at,
        received=sum(lock.credential.added_bytes for lock in locks),
        may_be_prune=any(lock.credential.scope == Credential.Scope.MAINTAIN for lock in locks),
    )
