"""Presigned requests: a store takes exactly what was signed, once, and in time."""

import base64
import dataclasses
import hashlib
import os
import threading
import time
from collections.abc import Iterator

import pytest

from backup_service.embedded.stores import Store
from storage.stores.base import (
    Expected,
    NoDirectTransfersError,
    NoSuchKeyError,
    PresignedRequest,
    RegionStore,
)
from storage.stores.s3.store import S3Store
from tests.contracts.conftest import drop, new_bucket
from tests.contracts.test_regions import get, key, put
from tests.support.stores import seaweedfs
from tests.support.stores.client import send

CONTENT = os.urandom(100_000)
OTHER = os.urandom(100_000)
WHERE = key(CONTENT)
SHA256 = WHERE.object.name


@pytest.fixture(scope="module")
def region(seaweed: Store) -> Iterator[S3Store]:
    made = S3Store(seaweedfs.region(seaweed, new_bucket()))
    made.prepare("instance-1")
    yield made
    drop(made)


@pytest.fixture
def direct(region: S3Store) -> Iterator[S3Store]:
    yield region
    for where, _size in list(region.list_keys()):
        region.delete(where)


def signed(store: S3Store, seconds: int = 60) -> PresignedRequest:
    return store.presign_put(WHERE, size=len(CONTENT), sha256=SHA256, seconds=seconds)


def checksum(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def require_nothing(store: S3Store) -> None:
    assert list(store.list_keys()) == []


def test_what_was_signed_is_taken_and_given(direct: S3Store) -> None:
    status, body = send(signed(direct), CONTENT)
    assert status == 200, body
    direct.confirm(WHERE, size=len(CONTENT), sha256=SHA256)
    assert direct.surely_has([Expected(WHERE, len(CONTENT), SHA256)]) == [True]
    assert get(direct, WHERE) == CONTENT
    fetch = direct.presign_get(WHERE, seconds=60)
    assert send(fetch) == (200, CONTENT)
    assert send(fetch, headers={"Range": "bytes=10-19"}) == (206, CONTENT[10:20])


def test_an_empty_object(direct: S3Store) -> None:
    request = direct.presign_put(key(), size=0, sha256=key().object.name, seconds=60)
    assert send(request, b"")[0] == 200
    assert get(direct, key()) == b""


def test_twice(direct: S3Store) -> None:
    assert send(signed(direct), CONTENT)[0] == 200
    assert send(signed(direct), CONTENT)[0] == 412
    assert get(direct, WHERE) == CONTENT


def test_what_was_given_up_cannot_be_put_back_with_an_expired_request(direct: S3Store) -> None:
    early = signed(direct, seconds=1)
    fetch = direct.presign_get(WHERE, seconds=1)
    put(direct, WHERE, CONTENT)
    time.sleep(2.1)
    assert send(fetch)[0] == 403
    direct.delete(WHERE)
    assert send(early, CONTENT)[0] == 403
    require_nothing(direct)


def test_other_bytes_of_the_same_length(direct: S3Store) -> None:
    assert send(signed(direct), OTHER)[0] == 400
    require_nothing(direct)


def test_an_altered_checksum(direct: S3Store) -> None:
    status, _ = send(signed(direct), OTHER, {"x-amz-checksum-sha256": checksum(OTHER)})
    assert status == 403
    require_nothing(direct)


@pytest.mark.parametrize("name", ["x-amz-checksum-sha256", "If-None-Match"])
def test_a_signed_header_left_out(direct: S3Store, name: str) -> None:
    request = signed(direct)
    rest = {key: value for key, value in request.headers.items() if key != name}
    status, _ = send(dataclasses.replace(request, headers=rest), CONTENT)
    assert status in (400, 403)
    require_nothing(direct)


def test_a_condition_that_is_altered(direct: S3Store) -> None:
    put(direct, WHERE, CONTENT)
    assert send(signed(direct), CONTENT, {"If-None-Match": '"other"'})[0] in (400, 403)
    assert get(direct, WHERE) == CONTENT


@pytest.mark.parametrize("content", [CONTENT[:-1], CONTENT + b"x", b""])
def test_an_altered_length(direct: S3Store, content: bytes) -> None:
    headers = {"Content-Length": str(len(content))}
    assert send(signed(direct), content, headers)[0] in (400, 403)
    altered = headers | {"x-amz-checksum-sha256": checksum(content)}
    assert send(signed(direct), content, altered)[0] in (400, 403)
    require_nothing(direct)


def test_a_body_that_ends_early(direct: S3Store) -> None:
    assert send(signed(direct), CONTENT[:-1])[0] in (0, 400)
    require_nothing(direct)


def test_another_object(direct: S3Store) -> None:
    put(direct, WHERE, CONTENT)
    other = key(OTHER)
    for request in (signed(direct), direct.presign_get(WHERE, seconds=60)):
        url = request.url.replace(WHERE.object.name, other.object.name)
        elsewhere = dataclasses.replace(request, url=url)
        body = CONTENT if request.method == "PUT" else None
        assert send(elsewhere, body)[0] == 403
    with pytest.raises(NoSuchKeyError):
        direct.size(other)


def test_another_method_and_a_longer_life(direct: S3Store) -> None:
    put(direct, WHERE, CONTENT)
    fetch = direct.presign_get(WHERE, seconds=60)
    assert send(dataclasses.replace(fetch, method="DELETE"))[0] == 403
    longer = fetch.url.replace("X-Amz-Expires=60", "X-Amz-Expires=6000")
    assert longer != fetch.url
    assert send(dataclasses.replace(fetch, url=longer))[0] == 403
    assert get(direct, WHERE) == CONTENT


def test_of_eight_at_once_one_wins(direct: S3Store) -> None:
    request, found = signed(direct), []
    threads = [
        threading.Thread(target=lambda: found.append(send(request, CONTENT)[0])) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # A loser may find its connection closed instead of an answer: the store need not read on.
    assert found.count(200) == 1
    assert set(found) <= {200, 412, 0}
    assert get(direct, WHERE) == CONTENT


def test_the_secret_is_in_no_request(direct: S3Store) -> None:
    for request in (signed(direct), direct.presign_get(WHERE, seconds=60)):
        assert direct.region.secret_key not in repr(request)


def test_the_public_address_is_the_one_that_is_signed(direct: S3Store) -> None:
    region = dataclasses.replace(direct.region, public_endpoint="https://store.example")
    url = S3Store(region, "instance-1").presign_get(WHERE, seconds=60).url
    assert url.startswith(f"https://store.example/{region.bucket}/{WHERE}?")


def test_only_proven_stores_are_open_to_clients(store: RegionStore, seaweed: Store) -> None:
    if store.direct_transfers:
        assert isinstance(store, S3Store)
        store = S3Store(dataclasses.replace(store.region, direct=False), "instance-1")
    assert not store.direct_transfers
    with pytest.raises(NoDirectTransfersError):
        store.presign_put(WHERE, size=1, sha256=SHA256, seconds=60)
    with pytest.raises(NoDirectTransfersError):
        store.presign_get(WHERE, seconds=60)
