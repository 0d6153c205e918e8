"""Replicas marked bad at the same moment: the last good one's end is noticed as a loss."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from storage.models import LossNotice, StoredObject
from storage.objects import damage
from storage.replication.replicator import replicate_due
from storage.stores.base import NoSuchKeyError
from tests.unit.storage.conftest import Caller, some

pytestmark = [
    pytest.mark.django_db(transaction=True, serialized_rollback=True),
    pytest.mark.skipif(
        connection.vendor == "sqlite", reason="SQLite has one writer: nothing is at once there"
    ),
]


def test_both_replicas_marked_at_once_are_a_loss(backup: Caller) -> None:
    content = some()
    backup.put(content)
    replicate_due()
    obj = backup.stored_object(content)
    first, second = obj.replicas.all()

    def mark_second() -> None:
        try:
            damage.mark(second, NoSuchKeyError("gone"))
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            damage.mark(first, NoSuchKeyError("gone"))
            other = pool.submit(mark_second)
            # It waits for this transaction; without a lock it would not, and see a good replica.
            with pytest.raises(TimeoutError):
                other.result(timeout=0.5)
        other.result(timeout=30)
    assert backup.state_of(obj) == StoredObject.State.LOST
    assert LossNotice.objects.get(vault=backup.vault).is_due
