"""Blobs on their way out: several at once are held to what one alone is."""

import hashlib
from collections.abc import Iterator

import pytest
import zstandard
from nightsafe.crypto.seal_key import SealKey
from nightsafe.crypto.sealer import Sealer
from nightsafe.errors import DamagedError
from nightsafe.repository.blob_reader import BlobOpener, SealedBlob


def blobs_of(sealer: Sealer) -> Iterator[SealedBlob]:
    for text in (b"short", b"long " * 9_000, bytes(70_000), b"last"):
        name = hashlib.sha256(text).digest()
        yield sealer.seal(text), name, 0
        yield sealer.seal(zstandard.compress(text)), name, len(text)


def test_what_does_not_fit_is_left_out_of_several() -> None:
    sealer = Sealer(SealKey.random())
    opener, sound = BlobOpener(sealer), list(blobs_of(sealer))
    forged = [
        (sealer.seal(b"other"), sound[0][1], 0),
        (bytes(sound[2][0][:-1]) + bytes([sound[2][0][-1] ^ 1]), *sound[2][1:]),
        (sound[3][0], sound[3][1], sound[3][2] + 1),
        (sealer.seal(b"no frame"), sound[1][1], 5),
        (b"", sound[1][1], 0),
    ]
    mixed = [blob for pair in zip(sound, forged, strict=False) for blob in pair]
    found = opener.open_all(mixed)
    assert found[1::2] == [None] * 5
    assert found[::2] == [opener.open(s, blob_id=i, plain_length=n) for s, i, n in sound[:5]]
    for sealed, name, length in forged:
        with pytest.raises(DamagedError):
            opener.open(sealed, blob_id=name, plain_length=length)
    assert opener.open_all([]) == []
