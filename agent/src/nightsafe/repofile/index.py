"""The index: which pack holds each blob, and where in it."""

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
"""What to do where an index file cannot be read, for the middle of a sentence."""
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
    """All blobs of a repository in memory. A blob may lie in several packs."""

    def __init__(self) -> None:
        self._first: dict[BlobKind, dict[bytes, BlobLocation]] = {kind: {} for kind in BlobKind}
        self._others: dict[tuple[BlobKind, bytes], list[BlobLocation]] = {}
        self._packs: dict[bytes, int] = {}

    def add(self, content: PackContent) -> None:
        """Learn what a pack holds; hearing it twice changes nothing.

        Another index file may list the rest of a pack of which one listed a part.
        """
        end, others = 0, self._others
        if content.id in self._packs:
            content, end = self._unheard(content), self._packs[content.id]
        data, trees = self._first[BlobKind.DATA], self._first[BlobKind.TREE]
        for kind, blob_id, offset, length, plain_length in content.blobs:
            location = _location((content.id, offset, length, plain_length))
            table = data if kind is BlobKind.DATA else trees
            if table.setdefault(blob_id, location) is not location:
                others.setdefault((kind, blob_id), []).append(location)
            if offset + length > end:
                end = offset + length
        self._packs[content.id] = end

    def _unheard(self, content: PackContent) -> PackContent:
        """What was not told yet of a pack that was."""
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
        """Every known copy of a blob, none if it is not stored."""
        first = self._first[kind].get(blob_id)
        return [] if first is None else [first, *self._others.get((kind, blob_id), ())]

    def locations(self, kind: BlobKind) -> Mapping[bytes, BlobLocation]:
        """The first copy of each blob of a kind, for whoever asks for many."""
        return self._first[kind]

    def count(self, kind: BlobKind) -> int:
        """How many different blobs of this kind are stored."""
        return len(self._first[kind])

    @property
    def packs(self) -> list[bytes]:
        """All packs, in the order in which they were heard of."""
        return list(self._packs)

    def pack_end(self, pack: bytes) -> int:
        """Where the blobs of a pack end, in bytes."""
        return self._packs[pack]


def encode_index(packs: Iterable[PackContent]) -> bytes:
    """The JSON text of an index file over these packs."""
    return _encode((content.id, _encode_blobs(content.blobs)) for content in packs)


def encode_index_of(packs: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The JSON text of an index file over packs of which we have ids and opened headers.

    DamagedError for a header that is not sound.
    """
    return _encode((pack_id, _encode_entries(header)) for pack_id, header in packs)


def _encode(packs: Iterable[tuple[bytes, bytes]]) -> bytes:
    # Texts take far less memory than objects for a library to encode, and less time.
    texts = (b'{"id":"%b","blobs":[%b]}' % (pack.hex().encode(), blobs) for pack, blobs in packs)
    return b'{"packs":[%b]}' % b",".join(texts)


def _encode_entries(header: bytes) -> bytes:
    text = encode(header)
    if text is None:
        raise DamagedError("A pack's header is not sound, so no index file was made of it.")
    return text


def portable_encode(header: bytes) -> bytes | None:
    """Encode a pack header's entries as an index file lists them, separated by commas.

    None if the header is not sound.
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
    """The packs that an index file lists; DamagedError when it is not sound."""
    if native is not None:
        found = native.decode(text, PackContent, BlobEntry, BlobKind.DATA, BlobKind.TREE)
        if found is not None:
            return found
    return portable_decode(text)


def portable_decode(text: bytes) -> list[PackContent]:
    """`decode_index` for any text, not only what backup programs usually write."""
    try:
        return decode_packs(orjson.loads(text))
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise DamagedError("An index file is damaged: it cannot be read.") from None


def decode_packs(fields: dict[str, Any]) -> list[PackContent]:
    """The packs that the JSON of an index file lists; also KeyError and TypeError if unsound."""
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
