"""The kinds of stores that the contract is held against."""

import functools
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from botocore import session

from backup_service.embedded.stores import Store
from storage.stores.base import RegionStore
from storage.stores.filesystem.store import FilesystemStore
from storage.stores.memory import MemoryStore
from storage.stores.s3.store import S3Store
from tests.hardship.conftest import mounted
from tests.support.stores import seaweedfs

MakeBucket = Callable[[], str]


@pytest.fixture(scope="session")
def seaweed() -> Iterator[Store]:
    """One real SeaweedFS for all tests here."""
    with descriptions_read_once(), seaweedfs.running() as store:
        yield store


@contextmanager
def descriptions_read_once() -> Iterator[None]:
    """Let all clients share what they know of S3: to read it takes each a quarter of a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "create_loader", functools.cache(session.create_loader))
        yield


@pytest.fixture(scope="session")
def plain_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder on a file system as exFAT or SMB are: no links, no rights, no fsync of folders."""
    with mounted(tmp_path_factory.mktemp("disk"), ("link", "chmod", "fsyncdir")) as mount:
        yield mount.path


def new_bucket() -> str:
    return f"test-{uuid.uuid4().hex}"


@pytest.fixture(params=["filesystem", "plain-disk", "memory", "s3", "s3-general"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RegionStore]:
    """A store of each kind that nothing was ever put into."""
    if request.param == "filesystem":
        yield FilesystemStore("x", tmp_path / "region")
    elif request.param == "plain-disk":
        place = request.getfixturevalue("plain_disk") / uuid.uuid4().hex
        yield FilesystemStore("x", place)
    elif request.param == "memory":
        yield MemoryStore("x")
    else:
        region = seaweedfs.region(request.getfixturevalue("seaweed"), new_bucket())
        if request.param == "s3-general":
            region = replace(region, general_only=True, direct=False)
        made = S3Store(region)
        yield made
        drop(made)


@pytest.fixture
def store(empty: RegionStore) -> RegionStore:
    """A prepared store of each kind."""
    empty.prepare("instance-1")
    return empty


def drop(made: S3Store) -> None:
    """Remove a test's bucket, so that the next one finds room."""
    client, bucket = made.general.again, made.region.bucket
    try:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        for entry in [one for page in pages for one in page.get("Contents", [])]:
            client.delete_object(Bucket=bucket, Key=entry["Key"])
        client.delete_bucket(Bucket=bucket)
    except client.exceptions.NoSuchBucket:
        return
