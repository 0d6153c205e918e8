"""Reads blobs from packs and verifies them.

Packs are read in aligned windows: neighbouring blobs come with one request, and the storage does
not learn which blobs are needed.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence

import zstandard

from nightsafe.backend.base import ObjectKind
from nightsafe.crypto.sealer import Sealer
from nightsafe.crypto.sha256 import digests
from nightsafe.errors import DamagedError, NoCopyError, ObjectNotFoundError, ended
from nightsafe.repofile.index import BlobLocation
from nightsafe.repofile.pack import BlobKind
from nightsafe.repofile.tree import Node, Unreadable, decode_tree, read_tree
from nightsafe.repofile.zstd_frames import decompress
from nightsafe.repository.repository import Repository

WINDOW_SIZE = 4 << 20
"""Packs are read in aligned windows of this size, one by one here and in runs by a restore."""
_WINDOWS_KEPT = 12
_ATTEMPTS = 3
_AT_ONCE = 64 << 20

_Window = tuple[bytes, int]
SealedBlob = tuple[bytes | memoryview, bytes, int]
"""A sealed blob, its id, and its plain length, 0 if it is not compressed."""


class BlobReader:
    """Reads blobs of a repository whose index is loaded. Not thread-safe."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._opener = BlobOpener(repository.sealer)
        self._windows: OrderedDict[_Window, bytes] = OrderedDict()

    def load_tree(self, tree_id: bytes) -> list[Node]:
        """Return a tree blob's nodes; DamagedError unless all are readable."""
        return decode_tree(self.load(BlobKind.TREE, tree_id))

    def read_tree(self, tree_id: bytes) -> tuple[list[Node], list[Unreadable]]:
        """Return a tree blob's readable nodes, and the entries that cannot be read."""
        return read_tree(self.load(BlobKind.TREE, tree_id))

    def load(self, kind: BlobKind, blob_id: bytes) -> bytes:
        """Return a blob's plain bytes, whose SHA-256 is `blob_id`.

        Tries every known copy several times, since a server may respond from another replica.
        DamagedError if none is good.
        """
        failure: Exception | None = None
        for location in self._repository.index.locate(kind, blob_id):
            for _ in range(_ATTEMPTS):
                try:
                    return self._open(location, blob_id)
                except (DamagedError, NoCopyError, ObjectNotFoundError) as error:
                    failure = error
                    self._forget(location)
        if failure is None:
            raise DamagedError(
                f"The {kind.word} blob {blob_id.hex()[:8]} is in no index; run `nightsafe check`."
            )
        raise DamagedError(
            f"The {kind.word} blob {blob_id.hex()[:8]} is damaged in every copy. {ended(failure)} "
            "Run `nightsafe check --read-data` to see what else is affected."
        ) from failure

    def _open(self, location: BlobLocation, blob_id: bytes) -> bytes:
        sealed = self._read(location)
        return self._opener.open(sealed, blob_id=blob_id, plain_length=location.plain_length)

    def _read(self, location: BlobLocation) -> bytes:
        parts = []
        for window in _windows_of(location):
            data = self._window(window)
            start = max(location.offset - window[1], 0)
            parts.append(data[start : location.offset + location.length - window[1]])
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _window(self, window: _Window) -> bytes:
        data = self._windows.get(window)
        if data is None:
            pack, start = window
            end = min(start + WINDOW_SIZE, self._repository.index.pack_end(pack))
            data = self._repository.storage.load(
                ObjectKind.DATA, pack.hex(), offset=start, length=end - start
            )
            self._windows[window] = data
            if len(self._windows) > _WINDOWS_KEPT:
                self._windows.popitem(last=False)
        self._windows.move_to_end(window)
        return data

    def _forget(self, location: BlobLocation) -> None:
        for window in _windows_of(location):
            self._windows.pop(window, None)


def _windows_of(location: BlobLocation) -> list[_Window]:
    first = location.offset - location.offset % WINDOW_SIZE
    last = location.offset + location.length
    return [(location.pack, start) for start in range(first, last, WINDOW_SIZE)]


class BlobOpener:
    """Opens sealed blobs; keeps cipher and decompressor, so one instance per thread."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer
        self._decompress = zstandard.ZstdDecompressor().decompress

    def open(self, sealed: bytes | memoryview, *, blob_id: bytes, plain_length: int) -> bytes:
        """Check the MAC, decompress within bounds, check the SHA-256; DamagedError if one fails."""
        plain = self._plain(sealed, plain_length)
        if hashlib.sha256(plain).digest() != blob_id:
            raise DamagedError(f"Blob {blob_id.hex()[:8]} holds other bytes than its id says.")
        return plain

    def open_all(self, blobs: Sequence[SealedBlob]) -> list[bytes | None]:
        """Like `open` for several blobs, but faster; None for each that fails."""
        plains = [self._plain_or_empty(sealed, length) for sealed, _, length in blobs]
        ids = digests(plains)
        return [
            plain if found == wanted else None
            for plain, found, (_, wanted, _) in zip(plains, ids, blobs, strict=True)
        ]

    def _plain_or_empty(self, sealed: bytes | memoryview, plain_length: int) -> bytes:
        """Return no bytes for a damaged blob, so that its hash will differ."""
        try:
            return self._plain(sealed, plain_length)
        except DamagedError:
            return b""

    def _plain(self, sealed: bytes | memoryview, plain_length: int) -> bytes:
        """Decrypt and decompress a blob; its hash is not checked yet."""
        plain = self._sealer.open(sealed)
        if plain_length:
            plain = self._unpack(plain, plain_length)
            if len(plain) != plain_length:
                raise DamagedError("A blob has another length than the index says.")
        return plain

    def _unpack(self, frame: bytes, plain_length: int) -> bytes:
        """Decompress in one step if the frame claims the right size, which bounds memory."""
        try:
            if plain_length <= _AT_ONCE and zstandard.frame_content_size(frame) == plain_length:
                return self._decompress(frame)
        except zstandard.ZstdError:
            raise DamagedError("Compressed bytes are damaged.") from None
        return decompress(frame, limit=plain_length)
