"""Regions that are full or away are seen, said, and asked last."""

from datetime import timedelta
from pathlib import Path

import pytest
from pytest_django import Settings

from backup_service import clock
from storage.object_names import StoreKey
from storage.regions import health
from storage.stores.base import RegionFullError, Source
from storage.stores.filesystem.store import FilesystemStore
from tests.support.storage.regions import burn, region
from tests.support.storage.replicas import states
from tests.support.storage.three_regions import contents, regions
from tests.unit.storage.conftest import Caller, some

__all__ = ["contents", "regions"]
pytestmark = pytest.mark.django_db


def test_health_is_seen_and_said(
    settings: Settings, tmp_path: Path, backup: Caller, contents: list[bytes]
) -> None:
    settings.REGION_OPTIONS = {"B_CAPACITY": "12kB"}
    burn(tmp_path, "c")
    health.check_all()
    assert [region(alias).health for alias in "abc"] == ["well", "full", "away"]
    content = some()
    backup.put(content)
    assert states(backup.stored_object(content)) == {"a": "stored", "c": "pending"}
    settings.REGION_OPTIONS = {"B_CAPACITY": "1GB"}
    with clock.travelled(timedelta(minutes=6)):
        health.check_all()
    assert region("b").health == "well"


def test_a_store_that_says_it_is_full_is_asked_last(
    backup: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = FilesystemStore.put

    def full(store: FilesystemStore, key: StoreKey, body: Source, size: int) -> None:
        if store.alias == "a":
            raise RegionFullError("Region a is full.")
        real(store, key, body, size)

    monkeypatch.setattr(FilesystemStore, "put", full)
    content = some()
    assert backup.put(content).status_code == 200
    assert states(backup.stored_object(content)) == {"b": "stored", "c": "pending"}
    assert region("a").health == "full"
