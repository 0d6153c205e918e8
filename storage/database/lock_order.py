"""Defines the order in which transactions lock rows, so that they never deadlock.

Tables, from first to last; whoever needs several takes them in this order and leaves out the rest:

1. Account
2. Region, then Refill
3. Vault (`sequence.lock`, `lock_vault_of`), then Lock, which nobody changes without its vault
4. Attempt: the writer's own, while it is WRITING, and those that are being removed
5. StoredObject
6. Replica
7. Attempt: those that replicas point to, or pointed to
8. Reservation
9. Usage
10. Credential, then Device
11. LossNotice, FailureNotice
12. Undelete
13. ObjectCount, which is written by one statement at the end (`counters/tally.py`)

Of one table, all that are needed are locked at once, the least primary key first (`lock`). A bulk
UPDATE or DELETE locks rows in whatever order it meets them, so it comes after `lock`, over what
that returned. Rows that nobody else can see yet need no lock. Claims of work skip what is locked
(`replication/leases.py`) and so wait for nobody.

On SQLite a transaction that writes is alone, and all of this does nothing.
"""

from typing import Any

from django.db.models import QuerySet

from storage.models import Vault


def lock(rows: QuerySet[Any], *, most: int | None = None) -> list[Any]:
    """Lock rows, or the first `most` of them, until the transaction ends; return their keys.

    Call inside a transaction.
    """
    locked = rows.order_by("pk").select_for_update(no_key=True, of=("self",))
    return list(locked.values_list("pk", flat=True)[:most])


def lock_vault_of(object_id: int) -> None:
    """Lock the vault of an object that this transaction may mark as lost or found."""
    lock(Vault.objects.filter(stored_objects=object_id))
