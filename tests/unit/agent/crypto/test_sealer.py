"""Sealing: against vectors, against arithmetic from the definition, and against changes."""

import json
import os
import random

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st
from nightsafe.crypto.seal_key import OVERHEAD, SealKey, mask_r
from nightsafe.crypto.sealer import Sealer
from nightsafe.crypto.sealer_portable import PortableSealer
from nightsafe.errors import DamagedError

from backup_service.env import BASE_DIR

VECTOR = json.loads((BASE_DIR / "tests" / "vectors" / "sealing.json").read_text())


def hexed(name: str) -> bytes:
    return bytes.fromhex(VECTOR[name])


BOTH = [PortableSealer] if Sealer is PortableSealer else [PortableSealer, Sealer]
KEY = SealKey(hexed("encrypt"), hexed("mac_k"), hexed("mac_r"))


def aes_block(key: bytes, block: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(block)


def poly1305_aes(key: SealKey, nonce: bytes, message: bytes) -> bytes:
    """The definition, in whole numbers."""
    r, total = int.from_bytes(mask_r(key.mac_r), "little"), 0
    for start in range(0, len(message), 16):
        part = int.from_bytes(message[start : start + 16] + b"\1", "little")
        total = (total + part) * r % (2**130 - 5)
    pad = int.from_bytes(aes_block(key.mac_k, nonce), "little")
    return ((total + pad) % 2**128).to_bytes(16, "little")


def aes_ctr(key: bytes, iv: bytes, data: bytes) -> bytes:
    """Counter mode by hand: blocks numbered from the IV as a 128-bit big-endian number."""
    first = int.from_bytes(iv, "big")
    stream = b"".join(
        aes_block(key, ((first + i) % 2**128).to_bytes(16, "big"))
        for i in range(len(data) // 16 + 1)
    )
    return bytes(a ^ b for a, b in zip(data, stream, strict=False))


def test_paper_example_of_poly1305_aes() -> None:
    paper = {name: bytes.fromhex(value) for name, value in VECTOR["paper"].items()}
    key = SealKey(bytes(32), paper["k"], paper["r"])
    assert poly1305_aes(key, paper["nonce"], paper["message"]) == paper["tag"]


@pytest.mark.parametrize("kind", BOTH)
def test_vector_opens(kind: type[Sealer]) -> None:
    assert kind(KEY).open(hexed("sealed")) == hexed("plain")


def test_vector_seals_to_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.urandom", lambda size: hexed("iv")[:size])
    assert PortableSealer(KEY).seal(hexed("plain")) == hexed("sealed")


def test_r_is_masked() -> None:
    assert KEY.mac_r == hexed("mac_r_masked")
    assert mask_r(b"\xff" * 16).hex() == "ffffff0ffcffff0ffcffff0ffcffff0f"


@pytest.mark.parametrize("kind", BOTH)
@given(st.binary(max_size=100))
def test_sealed_text_is_what_the_definition_says(kind: type[Sealer], plain: bytes) -> None:
    sealed = kind(KEY).seal(plain)
    iv, ciphertext, mac = sealed[:16], sealed[16:-16], sealed[-16:]
    assert len(sealed) == len(plain) + OVERHEAD
    assert aes_ctr(KEY.encrypt, iv, ciphertext) == plain
    assert poly1305_aes(KEY, iv, ciphertext) == mac


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("size", [0, 1, 5000, 20_000, 3 << 20])
def test_each_opens_what_the_other_sealed(kind: type[Sealer], size: int) -> None:
    plain, room = random.Random(size).randbytes(size), memoryview(bytearray(size + 50))
    for other in BOTH:
        end = kind(KEY).seal_into(room, 7, plain)
        assert end == 7 + size + OVERHEAD
        assert other(KEY).open(room[7:end]) == plain
        assert bytes(other(KEY).peek(kind(KEY).seal(plain))) == plain
        assert kind(KEY).put(room, 7, plain, plain, None) == end
        assert kind(KEY).put(room, 7, plain, plain + b"x", None) is None
        assert kind(KEY).put(room, 7, plain, b"unpacked", lambda view: b"unpacked") == end
        assert kind(KEY).put(room, 7, plain, plain, lambda view: b"unpacked?") is None
        assert other(KEY).open(room[7:end]) == plain


@pytest.mark.parametrize("kind", BOTH)
def test_where_there_is_no_room_nothing_is_sealed(kind: type[Sealer]) -> None:
    for start, size in ((0, 40), (1, 10), (-1, 5), (100, 0)):
        with pytest.raises(ValueError):
            kind(KEY).seal_into(memoryview(bytearray(41)), start, bytes(size))


@pytest.mark.parametrize("kind", BOTH)
def test_a_fork_draws_nonces_of_its_own(kind: type[Sealer]) -> None:
    sealer, room = kind(KEY), memoryview(bytearray(64))
    sealer.seal_into(room, 0, b"first")
    source, target = os.pipe()
    child = os.fork()
    if not child:
        sealer.seal_into(room, 0, b"child")
        os.write(target, room[:16])
        os._exit(0)
    sealer.seal_into(room, 0, b"child")
    os.waitpid(child, 0)
    assert os.read(source, 16) != bytes(room[:16])
    os.close(source)
    os.close(target)


@pytest.mark.parametrize("kind", BOTH)
def test_one_sealer_seals_many_and_never_with_the_same_iv(kind: type[Sealer]) -> None:
    sealer = kind(KEY)
    sealed = [sealer.seal(b"the same") for _ in range(600)]
    assert len({text[:16] for text in sealed}) == 600
    assert {sealer.open(text) for text in sealed} == {b"the same"}


@pytest.mark.parametrize("kind", BOTH)
def test_every_changed_bit_is_noticed(kind: type[Sealer]) -> None:
    sealer, sealed = kind(KEY), bytearray(hexed("sealed"))
    for bit in range(len(sealed) * 8):
        sealed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DamagedError):
            sealer.open(bytes(sealed))
        sealed[bit // 8] ^= 1 << bit % 8
    assert sealer.open(bytes(sealed)) == hexed("plain")


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("length", [0, 1, 16, 31])
def test_too_short_to_be_sealed(kind: type[Sealer], length: int) -> None:
    with pytest.raises(DamagedError):
        kind(KEY).open(bytes(length))


def test_keys_do_not_show_themselves() -> None:
    assert KEY.encrypt.hex() not in repr(KEY)
    assert str(KEY.encrypt) not in repr(KEY)
    assert "mac_r" not in repr(KEY)


def test_a_key_of_wrong_length_is_refused() -> None:
    with pytest.raises(DamagedError):
        SealKey(bytes(31), bytes(16), bytes(16))
