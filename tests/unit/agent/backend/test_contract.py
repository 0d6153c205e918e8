"""The contract of a storage, over each kind: a folder, our server, and those of other makers.

Another server is tried too when NIGHTSAFE_TEST_REST_URL names an empty, writable vault on it
(with NIGHTSAFE_TEST_REST_USERNAME and NIGHTSAFE_TEST_REST_SECRET).
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from nightsafe.backend.base import CONFIG_NAME, Backend, ObjectKind
from nightsafe.backend.local import LocalBackend
from nightsafe.backend.rest import RestBackend
from nightsafe.backend.rest_url import Credential
from nightsafe.errors import ObjectExistsError, ObjectNotFoundError, UsageError

from tests.support.agent import rest_server
from tests.support.agent.servers import rclone_server, stock_rest_server

NAMED = [kind for kind in ObjectKind if kind is not ObjectKind.CONFIG]


OTHER = os.environ.get("NIGHTSAFE_TEST_REST_URL", "")


@pytest.fixture(params=["folder", "memory", "rclone", "rest-server", *(["other"] if OTHER else [])])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    match request.param:
        case "folder":
            yield created(LocalBackend(str(tmp_path / "repository")))
        case "memory":
            with rest_server.running_server() as server:
                credential = Credential(rest_server.USER, rest_server.SECRET)
                yield from remote(server.url, credential)
        case "rclone":
            with rclone_server(tmp_path / "served") as url:
                yield from remote(url, Credential("device-1", "s3cret"))
        case "rest-server":
            with stock_rest_server(tmp_path / "served") as url:
                yield from remote(url, Credential("device-1", "s3cret"))
        case _:
            username = os.environ["NIGHTSAFE_TEST_REST_USERNAME"]
            yield from remote(OTHER, Credential(username, os.environ["NIGHTSAFE_TEST_REST_SECRET"]))


def remote(url: str, credential: Credential) -> Iterator[Backend]:
    made = RestBackend(url, credential, patience=5)
    yield created(made)
    made.close()


def created(storage: Backend) -> Backend:
    storage.create()
    return storage


def put(storage: Backend, kind: ObjectKind, data: bytes) -> str:
    name = hashlib.sha256(data).hexdigest()
    storage.save(kind, name, data)
    return name


@pytest.mark.parametrize("kind", NAMED)
def test_what_is_saved_can_be_loaded_listed_and_measured(
    storage: Backend, kind: ObjectKind
) -> None:
    data = os.urandom(3000)
    name = put(storage, kind, data)
    assert storage.load(kind, name) == data
    assert storage.size(kind, name) == len(data)
    assert (name, len(data)) in list(storage.list(kind))


def test_nothing_is_listed_at_first(storage: Backend, request: pytest.FixtureRequest) -> None:
    if "other" in request.node.name:
        # It is a vault that somebody gave, and the tests before this one have filled it.
        pytest.skip("another server may hold something already")
    assert [list(storage.list(kind)) for kind in ObjectKind] == [[]] * len(ObjectKind)


def test_config_has_one_name_and_is_never_replaced(storage: Backend) -> None:
    storage.save(ObjectKind.CONFIG, CONFIG_NAME, b"one")
    storage.save(ObjectKind.CONFIG, CONFIG_NAME, b"one")
    assert storage.load(ObjectKind.CONFIG, CONFIG_NAME) == b"one"
    assert list(storage.list(ObjectKind.CONFIG)) == [("config", 3)]


def test_another_config_is_refused(storage: Backend, request: pytest.FixtureRequest) -> None:
    if "rclone" in request.node.name:
        # A fact of rclone, not of ours: `init` looks first, so nobody meets it.
        pytest.skip("rclone replaces a config without a word")
    storage.save(ObjectKind.CONFIG, CONFIG_NAME, b"one")
    with pytest.raises(ObjectExistsError):
        storage.save(ObjectKind.CONFIG, CONFIG_NAME, b"two")
    assert storage.load(ObjectKind.CONFIG, CONFIG_NAME) == b"one"


@pytest.mark.parametrize(("offset", "length"), [(0, 10), (5, 1), (90, 10), (95, 20), (99, 1)])
def test_parts_are_loaded_and_end_where_the_object_ends(
    storage: Backend, offset: int, length: int
) -> None:
    data = bytes(range(100))
    name = put(storage, ObjectKind.DATA, data)
    part = storage.load(ObjectKind.DATA, name, offset=offset, length=length)
    assert part == data[offset : offset + length]


def test_a_part_without_end(storage: Backend) -> None:
    name = put(storage, ObjectKind.DATA, bytes(range(100)))
    assert storage.load(ObjectKind.DATA, name, offset=90) == bytes(range(90, 100))


def test_saving_again_is_a_success(storage: Backend) -> None:
    data = os.urandom(100)
    assert put(storage, ObjectKind.DATA, data) == put(storage, ObjectKind.DATA, data)
    assert len([n for n, _ in storage.list(ObjectKind.DATA) if n == hash_of(data)]) == 1


def hash_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_what_is_removed_is_gone(storage: Backend) -> None:
    name = put(storage, ObjectKind.LOCK, os.urandom(100))
    storage.remove(ObjectKind.LOCK, name)
    assert name not in dict(storage.list(ObjectKind.LOCK))
    with pytest.raises(ObjectNotFoundError):
        storage.load(ObjectKind.LOCK, name)


def test_what_is_not_there_is_not_found(storage: Backend, request: pytest.FixtureRequest) -> None:
    # restic's own server answers 200 to the removal of what it does not hold.
    removals: list[Callable[[ObjectKind, str], object]] = (
        [] if "rest-server" in request.node.name else [storage.remove]
    )
    actions: list[Callable[[ObjectKind, str], object]] = [storage.load, storage.size, *removals]
    for action in actions:
        with pytest.raises(ObjectNotFoundError):
            action(ObjectKind.DATA, "0" * 64)


@pytest.mark.parametrize("name", ["", "..", "a" * 63, "A" * 64, "../" + "a" * 61, "config"])
def test_no_other_name_gets_through(storage: Backend, name: str) -> None:
    with pytest.raises(UsageError):
        storage.load(ObjectKind.DATA, name)
    with pytest.raises(UsageError):
        storage.save(ObjectKind.DATA, name, b"")
    with pytest.raises(UsageError):
        storage.remove(ObjectKind.CONFIG, "a" * 64)


def test_an_object_of_many_megabytes(storage: Backend) -> None:
    data = os.urandom(1 << 20) * 20
    name = put(storage, ObjectKind.DATA, data)
    assert storage.load(ObjectKind.DATA, name) == data
    assert (
        storage.load(ObjectKind.DATA, name, offset=5 << 20, length=8 << 20)
        == (data[5 << 20 : 13 << 20])
    )


def test_the_location_shows_no_secret(storage: Backend) -> None:
    assert "s3cret" not in storage.location
    assert "s3cret" not in repr(storage)


def test_a_fresh_one_outlives_the_first(storage: Backend) -> None:
    """Each process has connections of its own to the same place."""
    name, other = put(storage, ObjectKind.LOCK, b"there"), storage.fresh()
    storage.close()
    assert other.load(ObjectKind.LOCK, name) == b"there"
    other.close()
