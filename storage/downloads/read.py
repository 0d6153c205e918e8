"""The read path: finds an object and streams its bytes from a healthy replica.

A whole object is hashed on its way out and its last piece is held back until the hash is right,
so wrong bytes never look complete. A range cannot be hashed: there the client's own check
decides, and a client that asks for the same range again gets it from a replica hashed first.
"""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from django.conf import settings

from storage.database.connections import lend_connection
from storage.downloads import presigned
from storage.downloads.rereads import RereadDetector
from storage.errors import DamagedError, RangeError, UnknownError
from storage.models import Region, Replica, StoredObject, Vault
from storage.object_names import ObjectName, ObjectType
from storage.objects import damage, placement
from storage.stores.base import CHUNK, NoSuchKeyError, Reader, RegionError, UnreadableError
from storage.stores.registry import store_of

log = logging.getLogger(__name__)
REDIRECTED = 64 * 1024  # bytes from which a client is sent to the store
rereads = RereadDetector()


@dataclass(frozen=True)
class Span:
    """A stretch of an object: `length` bytes from `start`."""

    start: int
    length: int


@dataclass(frozen=True)
class Response:
    """Bytes on their way to a client. `chunks` must be closed or exhausted."""

    size: int  # of the whole object, in bytes
    span: Span
    chunks: Iterator[bytes]


class CutShortError(Exception):
    """Raised in the middle of a response: the replica is bad, so the connection must break."""


def find(vault: Vault, name: ObjectName) -> StoredObject:
    """Return a live object of the vault. Raises UnknownError."""
    obj = StoredObject.objects.named(vault, name).live().first()
    if obj is None:
        raise UnknownError(f"This vault has no object {name}.")
    return obj


def elsewhere(obj: StoredObject, span: Span | None, *, reader: str) -> str | None:
    """Return the presigned address from which the client `reader` may read a pack, if it may.

    None if it must come from here: small spans, since going there takes longer than giving them,
    and what the client asks for again, since something was wrong with it or with the transfer.
    """
    if not settings.REDIRECT_READS or obj.type != ObjectType.DATA:
        return None
    span = span or Span(0, obj.size)
    span = Span(span.start, min(span.length, obj.size - span.start))
    if span.length < REDIRECTED:
        return None
    request = presigned.sign(obj)
    if request is None or rereads.seen(reader, obj.pk, span.start, span.length):
        return None
    return request.url


def fetch(
    obj: StoredObject, span: Span | None, *, reader: str, region: Region | None = None
) -> Response:
    """Return the bytes of an object, or of a span of it, for the client called `reader`.

    From its replica in one `region`, if one is given. Raises RangeError, or DamagedError when no
    replica can be read now.
    """
    if span is None:
        whole = Span(0, obj.size)
        chunks = _first_good(obj, whole, verify_first=False, region=region)
        return Response(obj.size, whole, chunks)
    if span.start >= obj.size or span.length <= 0:
        raise RangeError(obj.size)
    span = Span(span.start, min(span.length, obj.size - span.start))
    again = rereads.seen(reader, obj.pk, span.start, span.length)
    return Response(obj.size, span, _first_good(obj, span, verify_first=again, region=region))


def fetch_from(region: Region, obj: StoredObject) -> Iterator[bytes]:
    """Return the whole object from its replica in one region.

    Raises DamagedError, and while it is read BadReplicaError or RegionError.
    """
    replica = obj.replicas.readable().filter(region=region)
    found = replica.select_related("region", "attempt__vault").first()
    if found is None:
        raise DamagedError(f"There is no copy in region {region.alias}.")
    return _stream(found, obj, Span(0, obj.size))


def _first_good(
    obj: StoredObject, span: Span, *, verify_first: bool, region: Region | None
) -> Iterator[bytes]:
    """Return chunks from the first replica that opens and, if asked for, verifies."""
    for replica in _candidates(obj, region):
        try:
            if verify_first:
                damage.require_good(replica, obj)
            chunks = _stream(replica, obj, span)
            first = next(chunks, b"")
        except damage.BadReplicaError:
            continue
        except RegionError as error:
            placement.avoid(replica.region.alias)
            log.warning("a replica could not be read: %s", error)
            continue
        return _chain(first, chunks)
    raise DamagedError(
        "No copy of this object can be read at this moment. Nothing was deleted; the service is "
        "repairing it. Try again in a minute."
    )


def _candidates(obj: StoredObject, region: Region | None) -> list[Replica]:
    stored = obj.replicas.readable().select_related("region", "attempt__vault")
    if region is not None:
        stored = stored.filter(region=region)
    return placement.read_order(stored)


def _stream(replica: Replica, obj: StoredObject, span: Span) -> Iterator[bytes]:
    """Read a span of one replica, hashing it if it is the whole object."""
    is_whole = span.length == obj.size
    try:
        with _open(replica, span) as reader:
            yield from _judged(reader, obj, span) if is_whole else _counted(reader, span)
    except (NoSuchKeyError, UnreadableError, damage.BadReplicaError) as error:
        damage.mark(replica, error)
        raise damage.BadReplicaError(str(error)) from error


def _open(replica: Replica, span: Span) -> Reader:
    if replica.attempt is None:
        raise NoSuchKeyError("no attempt")
    store, key = store_of(replica.region), replica.attempt.key
    lend_connection()
    return store.open(key, span.start, span.length)


def _counted(reader: Reader, span: Span) -> Iterator[bytes]:
    left = span.length
    while left:
        piece = reader.read(min(CHUNK, left))
        if not piece:
            raise damage.BadReplicaError("the replica is shorter than the object")
        left -= len(piece)
        yield piece


def _judged(reader: Reader, obj: StoredObject, span: Span) -> Iterator[bytes]:
    """Yield a whole object, its last piece only once the hash is right."""
    digest, last = hashlib.sha256(), b""
    for piece in _counted(reader, span):
        digest.update(piece)
        if last:
            yield last
        last = piece
    if digest.hexdigest() != obj.sha256:
        raise damage.BadReplicaError("the replica does not have the object's hash")
    if last:
        yield last


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    with suppress(GeneratorExit):
        if first:
            yield first
        try:
            yield from rest
        except (RegionError, damage.BadReplicaError) as error:
            raise CutShortError(str(error)) from error
