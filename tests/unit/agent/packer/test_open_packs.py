"""Packs in the making: what comes in, however it comes in, is in one of them, once."""

import hashlib
import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightsafe.crypto.seal_key import SealKey
from nightsafe.crypto.sealer import Sealer
from nightsafe.packer.blob_sealer import BlobSealer
from nightsafe.packer.open_packs import OpenPacks
from nightsafe.packer.pack_builder import FinishedPack
from nightsafe.repofile import pack
from nightsafe.repofile.pack import BlobKind, read_header
from nightsafe.repository.blob_reader import BlobOpener

SEALER = Sealer(SealKey.from_bytes(bytes(range(64))))
WAYS = ("add", "append", "absorb")


def opened(finished: FinishedPack) -> dict[bytes, bytes]:
    """The blobs of a pack, all of which are read as a restore would."""
    data = bytes(finished.data)
    content = finished.content
    assert content.id == hashlib.sha256(data).digest()
    assert content.size == len(data)
    assert read_header(data, SEALER) == content.blobs
    opener = BlobOpener(SEALER)
    blobs = {}
    for blob in content.blobs:
        assert blob.kind is finished.kind
        sealed = data[blob.offset : blob.offset + blob.length]
        blobs[blob.id] = opener.open(sealed, blob_id=blob.id, plain_length=blob.plain_length)
    assert len(blobs) == len(content.blobs)
    return blobs


def put(packs: OpenPacks, way: str, plain: bytes) -> FinishedPack | None:
    blob_id = hashlib.sha256(plain).digest()
    if way == "add":
        return packs.add(blob_id, plain)
    if way == "append":
        return packs.append(blob_id, SEALER.seal(plain), plain_length=0)
    other = OpenPacks(packs.kind, BlobSealer(SEALER, compresses=True))
    assert other.add(blob_id, plain) is None
    assert other.merge() is None
    return packs.absorb(other.take())


@given(
    st.lists(st.tuples(st.sampled_from(WAYS), st.integers(1, 900)), max_size=60),
    st.sampled_from(BlobKind),
    st.integers(0, 2**32),
)
def test_every_blob_is_in_one_pack(puts: list[tuple[str, int]], kind: BlobKind, seed: int) -> None:
    chance = random.Random(seed)
    packs = OpenPacks(kind, BlobSealer(SEALER, compresses=True))
    wanted: dict[bytes, bytes] = {}
    found: dict[bytes, bytes] = {}

    def take(finished: FinishedPack | None) -> None:
        if finished is None:
            return
        blobs = opened(finished)
        assert not blobs.keys() & found.keys()
        found.update(blobs)
        finished.release()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pack, "PACK_SIZE", 4000)
        patch.setattr(pack, "MAX_BLOBS", 9)
        for way, size in puts:
            plain = chance.randbytes(4) + bytes(size)
            wanted[hashlib.sha256(plain).digest()] = plain
            take(put(packs, way, plain))
        take(packs.merge())
        take(packs.finish())
        assert packs.finish() is None
    assert found == wanted


def test_a_blob_larger_than_any_pack_is_stored() -> None:
    plain = os.urandom(pack.PACK_SIZE + (14 << 20))
    packs = OpenPacks(BlobKind.DATA, BlobSealer(SEALER, compresses=True))
    finished = packs.append(hashlib.sha256(plain).digest(), SEALER.seal(plain), plain_length=0)
    assert finished is not None
    assert list(opened(finished).values()) == [plain]
    finished.release()


def test_data_goes_into_two_packs_at_random() -> None:
    """So that order and lengths do not give a known file away."""
    packs = OpenPacks(BlobKind.DATA, BlobSealer(SEALER, compresses=True))
    for number in range(200):
        plain = bytes([number])
        assert (
            packs.append(hashlib.sha256(plain).digest(), SEALER.seal(plain), plain_length=0) is None
        )
    assert packs.merge() is None
    finished = packs.finish()
    assert finished is not None
    order = [blob[0] for blob in opened(finished).values()]
    assert sorted(order) == list(range(200))
    assert order != list(range(200))
