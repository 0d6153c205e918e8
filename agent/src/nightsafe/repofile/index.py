"""The index: maps each blob to the packs that hold it, and its place in them."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

import orjson

from nightsafe.crypto.seal_key import OVERHEAD
from nightsafe.errors import DamagedError
from nightsafe.repofile.pack import BlobEntry, BlobKind, PackContent, decode_entries
from nightsafe.repofile.tree import read_id

INDEX_REPAIR = (
    "run `restic repair index` (`restic rebuild-index` before restic 0.16), in a vault of the "
    "service with a credential with the scope maintain, which lists anew what is stored"
)
"""Advice for an unreadable index file, for the middle of a sentence."""
_MAX_OFFSET = 1 << 32
_KINDS = {kind.word: kind for kind in BlobKind}


class BlobLocation(NamedTuple):
    """One copy of a blob: `length` sealed bytes at `offset`; `plain_length` 0 if uncompressed."""

    pack: bytes
    offset: int
    length: int
    plain_length: int


_location: Callable[[Iterable[Any]], BlobLocation] = partial(tuple.__new__, BlobLocation)


class Index:
    """All blobs of a repository in memory. A blob may be in several packs."""

    def __init__(self) -> None:
        self._first: dict[BlobKind, dict[bytes, BlobLocation]] = {kind: {} for kind in BlobKind}
        self._others: dict[tuple[BlobKind, bytes], list[BlobLocation]] = {}
        self._packs: dict[bytes, int] = {}

    def add(self, content: PackContent) -> None:
        """Add the content of a pack; adding it again changes nothing.

        Several index files may each list a part of a pack.
        """
        end, others = 0, self._others
        if content.id in self._packs:
            content, end = self._new_entries(content), self._packs[content.id]
        data, trees = self._first[BlobKind.DATA], self._first[BlobKind.TREE]
        for kind, blob_id, offset, length, plain_length in content.blobs:
            location = _location((content.id, offset, length, plain_length))
            table = data if kind is BlobKind.DATA else trees
            if table.setdefault(blob_id, location) is not location:
                others.setdefault((kind, blob_id), []).append(location)
            if offset + length > end:
                end = offset + length
        self._packs[content.id] = end

    def _new_entries(self, content: PackContent) -> PackContent:
        """Return the entries of a known pack that are not in the index yet."""
        return PackContent(
            content.id,
            tuple(
                blob
                for blob in dict.fromkeys(content.blobs)
                if (content.id, *blob[2:]) not in self.locate(blob.kind, blob.id)
            ),
        )

    def has(self, kind: BlobKind, blob_id: bytes) -> bool:
        """Whether the blob is stored."""
        return blob_id in self._first[kind]

    def locate(self, kind: BlobKind, blob_id: bytes) -> list[BlobLocation]:
        """Return every known copy of a blob; empty if it is not stored."""
        first = self._first[kind].get(blob_id)
        return [] if first is None else [first, *self._others.get((kind, blob_id), ())]

    def locations(self, kind: BlobKind) -> Mapping[bytes, BlobLocation]:
        """Return the first copy of each blob of a kind, for fast lookups."""
        return self._first[kind]

    def count(self, kind: BlobKind) -> int:
        """Return the number of distinct blobs of a kind."""
        return len(self._first[kind])

    @property
    def packs(self) -> list[bytes]:
        """All packs, in the order in which they were added."""
        return list(self._packs)

    def pack_end(self, pack: bytes) -> int:
        """Return the offset at which a pack's blobs end."""
        return self._packs[pack]


def encode_index(packs: Iterable[PackContent]) -> bytes:
    """Encode an index file over these packs as JSON."""
    return _encode((content.id, _encode_blobs(content.blobs)) for content in packs)


def encode_index_of(packs: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Encode an index file from pairs of a pack's id and its decrypted header.

    DamagedError for an invalid header.
    """
    return _encode((pack_id, _encode_entries(header)) for pack_id, header in packs)


def _encode(packs: Iterable[tuple[bytes, bytes]]) -> bytes:
    # Formatting text takes far less memory and time than encoding objects with a library.
    texts = (b'{"id":"%b","blobs":[%b]}' % (pack.hex().encode(), blobs) for pack, blobs in packs)
    return b'{"packs":[%b]}' % b",".join(texts)


def _encode_entries(header: bytes) -> bytes:
    text = encode(header)
    if text is None:
        raise DamagedError("A pack's header is not sound, so no index file was made of it.")
    return text


def portable_encode(header: bytes) -> bytes | None:
    """Encode a pack header's entries as an index file lists them, separated by commas.

    None if the header is invalid.
    """
    try:
        return _encode_blobs(decode_entries(header))
    except DamagedError:
        return None


def _encode_blobs(blobs: Iterable[BlobEntry]) -> bytes:
    return ",".join(map(_encode_blob, blobs)).encode()


def _encode_blob(blob: BlobEntry) -> str:
    kind, blob_id, offset, length, plain_length = blob
    word = "data" if kind is BlobKind.DATA else "tree"
    plain = f',"uncompressed_length":{plain_length}' if plain_length else ""
    return f'{{"id":"{blob_id.hex()}","type":"{word}","offset":{offset},"length":{length}{plain}}}'


try:
    from nightsafe._native import index_entries as native

    encode = native.encode
except ImportError:  # not built here
    native = None  # type: ignore[assignment]
    encode = portable_encode


def decode_index(text: bytes) -> list[PackContent]:
    """Return the packs that an index file lists; DamagedError if it is invalid."""
    if native is not None:
        found = native.decode(text, PackContent, BlobEntry, BlobKind.DATA, BlobKind.TREE)
        if found is not None:
            return found
    return portable_decode(text)


def portable_decode(text: bytes) -> list[PackContent]:
    """Like `decode_index`, for any JSON, not only what backup programs usually write."""
    try:
        return decode_packs(orjson.loads(text))
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise DamagedError("An index file is damaged: it cannot be read.") from None


def decode_packs(fields: dict[str, Any]) -> list[PackContent]:
    """Return the packs in an index file's JSON; also KeyError and TypeError if invalid."""
    return [
        PackContent(read_id(p["id"]), tuple(map(_decode_blob, p["blobs"] or ())))
        for p in fields["packs"] or ()
    ]


def _decode_blob(fields: dict[str, Any]) -> BlobEntry:
    kind, offset, length = _KINDS.get(fields["type"]), fields["offset"], fields["length"]
    plain_length = fields.get("uncompressed_length", 0)
    if (
        kind is None
        or not type(offset) is type(length) is type(plain_length) is int
        or not 0 <= offset < _MAX_OFFSET
        or not OVERHEAD <= length < _MAX_OFFSET
        or not 0 <= plain_length < _MAX_OFFSET
    ):
        raise DamagedError("An index file is damaged: an entry makes no sense.")
    return BlobEntry(kind, read_id(fields["id"]), offset, length, plain_length)
