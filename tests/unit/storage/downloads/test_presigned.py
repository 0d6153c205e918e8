"""Reads from the store itself: by downloads, and by redirects."""

import pytest
from pytest_django import Settings

from storage.models import Replica
from storage.objects import placement
from storage.stores.base import PresignedRequest
from tests.support.storage.presigned import call, read, regions
from tests.support.stores.client import send
from tests.unit.storage.conftest import Caller, sha, some

__all__ = ["regions"]
pytestmark = pytest.mark.django_db


# --- Downloads


def test_downloads(backup: Caller, restore: Caller, bob: Caller) -> None:
    contents = [some(), some(5000)]
    for content in contents:
        backup.put(content)
    offers = read(restore, *map(sha, contents), "a" * 64)
    assert [one["status"] for one in offers] == ["get", "get", "unknown"]
    assert [one["size"] for one in offers[:2]] == [1000, 5000]
    for offer, content in zip(offers, contents, strict=False):
        fetch = PresignedRequest(offer["method"], offer["url"], offer["headers"])
        assert send(fetch) == (200, content)
        assert send(fetch, headers={"Range": "bytes=10-19"}) == (206, content[10:20])
    assert read(bob, sha(contents[0]))[0]["status"] == "unknown"


def test_downloads_of_what_is_not_there(backup: Caller, maintain: Caller) -> None:
    content = some()
    backup.put(content)
    backup.stored_object(content).replicas.update(state=Replica.State.CORRUPT)
    assert read(backup, sha(content))[0]["status"] == "gateway"
    maintain.delete(f"data/{sha(content)}")
    assert read(backup, sha(content))[0]["status"] == "unknown"
    many = [{"type": "data", "name": f"{n:064x}"} for n in range(257)]
    assert call(backup, "downloads", {"objects": many})[0] == 413


# --- Redirects


def test_a_pack_is_read_from_the_store_once_and_then_from_here(
    backup: Caller, settings: Settings
) -> None:
    content, small = some(200_000), some(1000)
    for one in (content, small):
        backup.put(one)
    where = f"data/{sha(content)}"
    first = backup.get(where, HTTP_RANGE="bytes=1000-199999")
    assert first.status_code == 307
    fetch = PresignedRequest("GET", first.headers["Location"], {})
    assert send(fetch, headers={"Range": "bytes=1000-199999"}) == (206, content[1000:])
    assert backup.fetch(where, HTTP_RANGE="bytes=1000-199999") == content[1000:]
    assert backup.get(where).status_code == 307
    assert backup.fetch(where) == content
    assert backup.fetch(where, HTTP_RANGE="bytes=0-999") == content[:1000]
    assert backup.fetch(f"data/{sha(small)}") == small
    settings.REDIRECT_READS = False
    assert backup.fetch(where, HTTP_RANGE="bytes=0-99999") == content[:100_000]


def test_no_redirect_to_a_region_that_failed(backup: Caller) -> None:
    content = some(200_000)
    backup.put(content)
    placement.avoid("a")
    assert backup.fetch(f"data/{sha(content)}") == content


def test_other_types_come_from_here(backup: Caller) -> None:
    content = some(200_000)
    backup.put(content, "index")
    assert backup.fetch(f"index/{sha(content)}") == content
