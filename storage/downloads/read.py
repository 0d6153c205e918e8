"""The read path: finds an object and streams its bytes from a healthy replica.

A whole object is hashed on its way out and its last piece is held back until the hash is right,
so wrong bytes never look complete. A range cannot be hashed: there the client's own check
decides, and a client that asks for the same range again gets it from a copy hashed first.
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
    """Raised in the middle of a response: the copy is bad, so the connection must break."""


def find(vault: Vault, name: ObjectName) -> StoredObject:
    """Return a live object of the vault. Raises UnknownError."""
    held = StoredObject.objects.named(vault, name).live().first()
    if held is None:
        raise UnknownError(f"This vault has no object {name}.")
    return held


def elsewhere(held: StoredObject, span: Span | None, *, reader: str) -> str | None:
    """Return the address at which the client called `reader` may read a pack from its region.

    None if it must come from here: small spans, since going there takes longer than giving them,
    and what the client asks for again, since something was wrong with it or with the way there.
    """
    if not settings.REDIRECT_READS or held.type != ObjectType.DATA:
        return None
    span = span or Span(0, held.size)
    span = Span(span.start, min(span.length, held.size - span.start))
    if span.length < REDIRECTED:
        return None
    request = presigned.sign(held)
    if request is None or rereads.seen(reader, held.pk, span.start, span.length):
        return None
    return request.url


def fetch(
    held: StoredObject, span: Span | None, *, reader: str, region: Region | None = None
) -> Response:
    """Return the bytes of an object, or of a span of it, for the client called `reader`.

    From its copy in one `region`, if one is given. Raises RangeError, or DamagedError when no copy
    can be read now.
    """
    if span is None:
        whole = Span(0, held.size)
        chunks = _first_good(held, whole, verify_first=False, region=region)
        return Response(held.size, whole, chunks)
    if span.start >= held.size or span.length <= 0:
        raise RangeError(held.size)
    span = Span(span.start, min(span.length, held.size - span.start))
    again = rereads.seen(reader, held.pk, span.start, span.length)
    return Response(held.size, span, _first_good(held, span, verify_first=again, region=region))


def fetch_from(region: Region, held: StoredObject) -> Iterator[bytes]:
    """Return the whole object from its copy in one region.

    Raises DamagedError, and while it is read BadCopyError or RegionError.
    """
    replica = held.replicas.readable().filter(region=region)
    found = replica.select_related("region", "attempt__vault").first()
    if found is None:
        raise DamagedError(f"There is no copy in region {region.alias}.")
    return _stream(found, held, Span(0, held.size))


def _first_good(
    held: StoredObject, span: Span, *, verify_first: bool, region: Region | None
) -> Iterator[bytes]:
    """Return chunks from the first copy that opens (and, if wanted, proves right)."""
    for replica in _candidates(held, region):
        try:
            if verify_first:
                damage.require_good(replica, held)
            chunks = _stream(replica, held, span)
            first = next(chunks, b"")
        except damage.BadReplicaError:
            continue
        except RegionError as error:
            placement.avoid(replica.region.alias)
            log.warning("a copy could not be read: %s", error)
            continue
        return _chain(first, chunks)
    raise DamagedError(
        "No copy of this object can be read at this moment. Nothing was deleted; the service is "
        "repairing it. Try again in a minute."
    )


def _candidates(held: StoredObject, region: Region | None) -> list[Replica]:
    stored = held.replicas.readable().select_related("region", "attempt__vault")
    if region is not None:
        stored = stored.filter(region=region)
    return placement.read_order(stored)


def _stream(replica: Replica, held: StoredObject, span: Span) -> Iterator[bytes]:
    """Read a span of one copy, and judge the whole object if the span is all of it."""
    is_whole = span.length == held.size
    try:
        with _open(replica, span) as reader:
            yield from _judged(reader, held, span) if is_whole else _counted(reader, span)
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
            raise damage.BadReplicaError("the copy is shorter than the object")
        left -= len(piece)
        yield piece


def _judged(reader: Reader, held: StoredObject, span: Span) -> Iterator[bytes]:
    """Yield everything, the last piece only once all of it has hashed right."""
    digest, last = hashlib.sha256(), b""
    for piece in _counted(reader, span):
        digest.update(piece)
        if last:
            yield last
        last = piece
    if digest.hexdigest() != held.sha256:
        raise damage.BadReplicaError("the copy does not have the object's hash")
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
