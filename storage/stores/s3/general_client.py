"""The general client, boto3, of one bucket: does all that the quick clients do not, or cannot."""

from collections.abc import Iterator
from typing import Any

from storage.object_names import StoreKey
from storage.stores.base import NoSuchKeyError, RegionError, UnreadableError
from storage.stores.configuration import S3Region
from storage.stores.s3.client import StoreFailure, code_of, make_client, status_of
from storage.stores.s3.marker import Marker
from storage.stores.s3.streams import Upload, require_span

TRIES = 3  # of requests that may be repeated


class BeyondTheEndError(Exception):
    """A span begins where the object has ended."""


class GeneralClient:
    """Requests about objects. Errors are those of the contract, unless a method says otherwise."""

    def __init__(self, region: S3Region, instance: str) -> None:
        self.once = make_client(region)
        self.again = make_client(region, tries=TRIES)
        self.marker = Marker(region, instance, once=self.once, again=self.again)
        self._region = region

    def put(self, key: StoreKey, body: Upload, *, size: int, checksum: str) -> None:
        """Make one PUT, of what is not there yet. Raises what boto3 raises."""
        self.once.put_object(
            Bucket=self._region.bucket,
            Key=str(key),
            Body=body,
            ContentLength=size,
            ContentType="application/octet-stream",
            ChecksumSHA256=checksum,
            IfNoneMatch="*",
        )

    def get(self, key: StoreKey, start: int, length: int | None) -> tuple[Any, int]:
        """Return the bytes from `start` on, and how many there are. Raises BeyondTheEndError."""
        is_whole = start == 0 and length is None
        end = "" if length is None else str(start + length - 1)
        span = {} if is_whole else {"Range": f"bytes={start}-{end}"}
        try:
            answer = self.again.get_object(Bucket=self._region.bucket, Key=str(key), **span)
        except StoreFailure as error:
            if status_of(error) == 416:
                raise BeyondTheEndError from error
            raise self._reading(key, error) from error
        size = int(answer["ContentLength"]) if is_whole else require_span(answer, start)
        return answer["Body"], size

    def rest(self, key: StoreKey, start: int, length: int) -> Any:
        """Return the bytes from `start` on of an object that is known to be longer."""
        try:
            return self.get(key, start, length)[0]
        except BeyondTheEndError as error:
            raise UnreadableError(f"Region {self._region.alias} lost the end of {key}.") from error

    def head(self, key: StoreKey) -> Any:
        """Return what the store says of an object."""
        try:
            return self.again.head_object(
                Bucket=self._region.bucket, Key=str(key), ChecksumMode="ENABLED"
            )
        except StoreFailure as error:
            raise self._reading(key, error) from error

    def delete(self, key: StoreKey) -> None:
        """Remove an object, or find that it is not there."""
        try:
            self.again.delete_object(Bucket=self._region.bucket, Key=str(key))
        except StoreFailure as error:
            if code_of(error) != "NoSuchKey":
                raise self.meaning(error) from error

    def pages(self, **wanted: str) -> Iterator[Any]:
        """Return the pages of a listing."""
        pages = self.again.get_paginator("list_objects_v2").paginate(
            Bucket=self._region.bucket,
            PaginationConfig={"PageSize": self._region.page},
            **wanted,
        )
        try:
            yield from pages
        except StoreFailure as error:
            raise self.meaning(error) from error

    def meaning(self, error: Exception) -> RegionError:
        """Return what boto3's error means."""
        return self.marker.meaning(error)

    def _reading(self, key: StoreKey, error: Exception) -> RegionError:
        """Return what a failed read means: for the whole region, or for these bytes alone."""
        if status_of(error) not in (404, 500):
            return self.meaning(error)
        self.marker.check()
        if status_of(error) == 404:
            return NoSuchKeyError(str(key))
        return UnreadableError(f"Region {self._region.alias} cannot read {key}: {code_of(error)}.")
