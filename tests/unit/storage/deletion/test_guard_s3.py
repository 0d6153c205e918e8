"""An older database and a wrong clock, with regions in buckets that clients send to."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from accounts.audit import SERVICE
from storage import tasks
from storage.integrity.reconcile import reconcile
from storage.models import Catalogue, Region
from storage.stores.base import RegionStore
from storage.stores.registry import store_of, sync_rows
from tests.support.storage import older
from tests.support.storage.buckets import INSTANCE
from tests.support.storage.older import passed
from tests.support.storage.presigned import announce, commit, put
from tests.support.stores import regions as places
from tests.unit.storage.conftest import Caller, sha, some
from tests.unit.storage.database.test_elapsed_time import (
    test_a_clock_31_days_ahead_destroys_nothing,
)
from tests.unit.storage.deletion.test_guard import (
    MONTH,
    keys,
    lived,
    test_after_a_reconciliation_all_that_was_acknowledged_is_there,
    test_an_older_database_destroys_nothing,
    test_marks_grow_and_stand_in_every_region,
    test_the_journal_lies_in_every_region,
    upkeep,
)

__all__ = [
    "lived",
    "test_a_clock_31_days_ahead_destroys_nothing",
    "test_after_a_reconciliation_all_that_was_acknowledged_is_there",
    "test_an_older_database_destroys_nothing",
    "test_marks_grow_and_stand_in_every_region",
    "test_the_journal_lies_in_every_region",
]
pytestmark = pytest.mark.django_db


@pytest.fixture
def regions(db: None, settings: Settings, buckets: dict[str, str]) -> Iterator[list[Region]]:
    """Two regions in empty buckets, as no other test left them and none finds them."""
    places.apply(settings, buckets)
    sync_rows()
    Region.objects.update(instance=INSTANCE)
    stores = [store_of(region) for region in Region.objects.all()]
    _empty(stores)
    yield list(Region.objects.order_by("priority"))
    _empty(stores)


def _empty(stores: list[RegionStore]) -> None:
    for store in stores:
        store.drop_notes()
        store.delete_many([key for key, _ in store.list_keys()])


def test_a_direct_transfer_that_an_older_database_thinks_is_under_way(backup: Caller) -> None:
    contents = [some() for _ in range(3)]
    offers = announce(backup, *contents)
    tasks.keep_marks()
    copied = older.copy()
    assert [put(*pair) for pair in zip(offers, contents, strict=True)] == [200] * 3
    assert commit(backup, *[offer["attempt"] for offer in offers]) == ["stored"] * 3
    tasks.keep_marks()
    older.put_back(copied)
    with passed(MONTH):
        upkeep()
    assert len(keys()) == 3
    report = reconcile(SERVICE)
    assert (report.adopted, report.complete) == (3, True)
    assert Catalogue.objects.get().doubt == ""
    with passed(2 * MONTH):
        upkeep()
    for content in contents:
        assert backup.fetch(f"data/{sha(content)}") == content
