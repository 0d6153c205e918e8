"""A store in a bucket of an S3-compatible service, which may hold nothing else.

Every object is one PUT with its length, its SHA-256 and `If-None-Match: *`; no answer is believed
before a HEAD has shown the same length and checksum. A marker object names the region, so that
another bucket is not mistaken for it. Keys are as everywhere: `vault/type/name/attempt`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from storage.object_names import (
    GIB,
    VAULT,
    InvalidNameError,
    StoreKey,
    parse_store_key,
)
from storage.stores.base import (
    Capacity,
    Expected,
    NoSuchKeyError,
    OtherBytesError,
    PresignedRequest,
    Reader,
    RegionFullError,
    RegionStore,
    RegionUnavailableError,
    Source,
    UnreadableError,
    checksum_of,
)
from storage.stores.configuration import S3Region
from storage.stores.s3.client import StoreFailure
from storage.stores.s3.connection import Connections
from storage.stores.s3.delete_batch import BatchDeleter
from storage.stores.s3.general_client import BeyondTheEndError, GeneralClient
from storage.stores.s3.get import GetClient
from storage.stores.s3.head import HeadClient
from storage.stores.s3.notes import LostNoteError, Notes
from storage.stores.s3.put import PutClient
from storage.stores.s3.signing import Signer
from storage.stores.s3.streams import (
    AbandonedError,
    Download,
    Nothing,
    Upload,
    hashed,
)

LARGEST = 2 * GIB  # bytes in one PUT
ROOM = 1 << 50  # bytes; stores do not tell how much they have


class S3Store(RegionStore):
    """A region's store in a bucket. `instance` is what the marker must say."""

    def __init__(self, region: S3Region, instance: str = "") -> None:
        self.alias = region.alias
        self.region = region
        self.direct_transfers = region.direct
        self.general = GeneralClient(region, instance)
        self._marker = self.general.marker
        self._public = Signer(region, region.public_endpoint) if region.direct else None
        connections = Connections(region)
        self._heads = HeadClient(region, connections)
        self._writes = PutClient(region, connections)
        self._reads = GetClient(region, connections)
        self._batches = BatchDeleter(region.bucket, self.general.again, self._heads)
        self._notes = Notes(region.bucket, self.general.once, self.general.again, region.page)

    @property
    def instance(self) -> str:
        """What the marker must say."""
        return self._marker.instance

    def prepare(self, instance: str) -> None:
        """See RegionStore. A bucket is made if there is none; only an empty one is taken."""
        self._marker.write(instance)

    def check(self) -> None:
        """See RegionStore."""
        self._marker.check()

    def put(self, key: StoreKey, body: Source, size: int) -> None:
        """See RegionStore."""
        if size > LARGEST:
            raise RegionFullError(f"Region {self.alias} takes {LARGEST} bytes at once at most.")
        self._marker.check_lately()
        sha256, source = hashed(key, body, size)
        upload = Upload(source, size)
        try:
            self.send(key, upload, size=size, checksum=checksum_of(sha256))
        except (*StoreFailure, AbandonedError) as error:
            if upload.failure is None:
                raise self.general.meaning(error) from error
        if upload.failure is not None:
            raise upload.failure
        self._believe(key, size=size, sha256=sha256)

    def open(self, key: StoreKey, start: int = 0, length: int | None = None) -> Reader:
        """See RegionStore."""
        if length == 0:
            self.size(key)
            return Nothing()
        try:
            stream, size = self._begin(key, start, length)
        except BeyondTheEndError:
            return Nothing()
        return Download(
            stream,
            start=start,
            length=size,
            reopen=lambda offset, left: self.general.rest(key, offset, left),
            check=self.check,
        )

    def confirm(self, key: StoreKey, *, size: int, sha256: str) -> None:
        """See RegionStore. Asks for the store's own checksum, and reads only if it has none."""
        if self._heads.show([Expected(key, size, sha256)]) == [True]:
            return
        answer = self.general.head(key)
        known = str(answer.get("ChecksumSHA256", ""))
        is_of_whole = answer.get("ChecksumType", "FULL_OBJECT") == "FULL_OBJECT"
        if not known or not is_of_whole:
            super().confirm(key, size=size, sha256=sha256)
        elif (int(answer["ContentLength"]), known) != (size, checksum_of(sha256)):
            raise OtherBytesError(f"Region {self.alias} has other bytes under {key}.")

    def surely_has(self, expected: Sequence[Expected]) -> list[bool]:
        """See RegionStore."""
        return self._heads.show(expected)

    def size(self, key: StoreKey) -> int:
        """See RegionStore."""
        return int(self.general.head(key)["ContentLength"])

    def delete(self, key: StoreKey) -> None:
        """See RegionStore. What is still there afterwards was not deleted, whatever was said."""
        self._marker.check_lately()
        self.general.delete(key)
        try:
            self.general.head(key)
        except NoSuchKeyError:
            return
        raise RegionUnavailableError(f"Region {self.alias} did not delete {key}.")

    def delete_many(self, keys: Sequence[StoreKey]) -> list[StoreKey]:
        """See RegionStore. At once where the store can, and one by one what is not surely gone."""
        if not self._answers():
            return []
        sure = dict(zip(keys, self._batches.delete(keys), strict=True))
        if not self._answers():  # nothing is there in a bucket that is another one by now
            return []
        rest = {*super().delete_many([key for key in keys if not sure[key]])}
        return [key for key in keys if sure[key] or key in rest]

    def list_keys(
        self, vault: str | None = None, *, after: StoreKey | None = None
    ) -> Iterator[tuple[StoreKey, int]]:
        """See RegionStore. Objects whose names are not keys are passed over."""
        wanted = {"Prefix": "" if vault is None else f"{vault}/"}
        if after is not None:
            wanted["StartAfter"] = str(after)
        for page in self._pages(**wanted):
            for entry in page.get("Contents", []):
                try:
                    yield parse_store_key(entry["Key"]), int(entry["Size"])
                except InvalidNameError:
                    continue

    def list_vaults(self) -> Iterator[str]:
        """See RegionStore. Some stores name those that are empty by now as well."""
        for page in self._pages(Delimiter="/"):
            for entry in page.get("CommonPrefixes", []):
                name = str(entry["Prefix"]).removesuffix("/")
                if VAULT.fullmatch(name):
                    yield name

    def _pages(self, **wanted: str) -> Iterator[Any]:
        self._marker.check()
        yield from self.general.pages(**wanted)

    def write_note(self, name: str, content: bytes, *, once: bool = False) -> None:
        """See RegionStore."""
        self._marker.check_lately()
        with self._noting():
            self._notes.write(name, content, once=once)

    def read_note(self, name: str) -> bytes | None:
        """See RegionStore."""
        self._marker.check_lately()
        with self._noting():
            return self._notes.read(name)

    def list_notes(self, word: str) -> list[str]:
        """See RegionStore."""
        self._marker.check_lately()
        with self._noting():
            return self._notes.names(word)

    def drop_notes(self) -> None:
        """See RegionStore."""
        self._marker.check_lately()
        with self._noting():
            self._notes.drop()

    @contextmanager
    def _noting(self) -> Iterator[None]:
        """Translate errors about notes into the store's errors."""
        try:
            yield
        except StoreFailure as error:
            raise self.general.meaning(error) from error
        except (LostNoteError, OSError) as error:
            raise RegionUnavailableError(
                f"Region {self.alias} did not keep a note of the service's own: {error}"
            ) from error

    def sweep_staging(self, older_than: float) -> int:
        """See RegionStore. A PUT that breaks off leaves nothing; an upload in parts, which somebody
        else began, would."""
        self.check()
        try:
            return self._notes.abort_parts(older_than)
        except StoreFailure as error:
            raise self.general.meaning(error) from error

    def capacity(self) -> Capacity:
        """See RegionStore. A store does not tell; it says so when it is full."""
        self.check()
        return Capacity(total=ROOM, free=ROOM)

    def presign_put(
        self, key: StoreKey, *, size: int, sha256: str, seconds: int
    ) -> PresignedRequest:
        """See RegionStore."""
        headers = {
            "Content-Length": str(size),
            "If-None-Match": "*",
            "x-amz-checksum-sha256": checksum_of(sha256),
        }
        return self._presigned("PUT", key, headers, seconds=seconds)

    def presign_get(self, key: StoreKey, *, seconds: int) -> PresignedRequest:
        """See RegionStore."""
        return self._presigned("GET", key, {}, seconds=seconds)

    def _presigned(
        self, method: str, key: StoreKey, headers: dict[str, str], *, seconds: int
    ) -> PresignedRequest:
        if self._public is None:
            raise self._no_direct_transfers()
        # The stores' time, which tests do not move.
        at = datetime.now(UTC)
        url = self._public.url(method, key, headers, seconds=seconds, at=at)
        return PresignedRequest(method, url, headers)

    def send(self, key: StoreKey, body: Upload, *, size: int, checksum: str) -> None:
        """Make one PUT. Raises what the general client raises."""
        if self._writes.put(key, body, size=size, checksum=checksum):
            return
        self.general.put(key, body, size=size, checksum=checksum)

    def _believe(self, key: StoreKey, *, size: int, sha256: str) -> None:
        try:
            self.confirm(key, size=size, sha256=sha256)
        except (NoSuchKeyError, OtherBytesError, UnreadableError) as error:
            raise RegionUnavailableError(
                f"Region {self.alias} said that it stored {key}, and did not: {error}"
            ) from error

    def _begin(self, key: StoreKey, start: int, length: int | None) -> tuple[Any, int]:
        """Return a span's bytes, and how many there are."""
        try:
            quick = self._reads.open(key, start, length)
        except TimeoutError as error:
            self._marker.distrust()
            raise RegionUnavailableError(f"Region {self.alias} does not answer in time.") from error
        if quick is not None:
            return quick
        return self.general.get(key, start, length)
