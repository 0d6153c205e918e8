"""Numbers the changes of a vault: each takes the next number of its sequence.

Taken under the vault row's lock with the database's clock, so that no two changes share a number,
times never run backwards, and a moment in the past has one answer.
"""

from dataclasses import dataclass
from datetime import datetime

from backup_service import clock
from storage.models import Vault


@dataclass(frozen=True)
class Tick:
    """One step of a vault's sequence."""

    number: int
    at: datetime


def lock(vault: Vault) -> Vault:
    """Return the vault's row, locked until the transaction ends. Call inside one.

    It comes before most others: see `database/lock_order.py`.

    The lock is the weaker one of two that PostgreSQL has for updates: the stronger one would
    wait for every other transaction that merely refers to the vault, and they for it.
    """
    return Vault.objects.select_for_update(no_key=True).get(pk=vault.pk)


def tick(locked: Vault) -> Tick:
    """Take the next number of a vault that `lock` returned."""
    return ticks(locked, 1)[0]


def ticks(locked: Vault, count: int) -> list[Tick]:
    """Take the next `count` numbers, at least one, of a vault that `lock` returned."""
    at = max(clock.database_now(), locked.sequence_at)
    steps = [Tick(locked.sequence + 1 + n, at) for n in range(count)]
    locked.sequence, locked.sequence_at = steps[-1].number, at
    locked.save(update_fields=["sequence", "sequence_at"])
    return steps
