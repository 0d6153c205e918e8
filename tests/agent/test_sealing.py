"""Sealing: against vectors, against arithmetic from the definition, and against changes."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st
from nightsafe.crypto import OVERHEAD, Sealer, SealKey, mask_r
from nightsafe.errors import DamagedError

VECTOR = json.loads((Path(__file__).parents[1] / "vectors" / "sealing.json").read_text())


def hexed(name: str) -> bytes:
    return bytes.fromhex(VECTOR[name])


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


def test_vector_opens() -> None:
    assert Sealer(KEY).open(hexed("sealed")) == hexed("plain")


def test_vector_seals_to_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.urandom", lambda size: hexed("iv")[:size])
    assert Sealer(KEY).seal(hexed("plain")) == hexed("sealed")


def test_r_is_masked() -> None:
    assert KEY.mac_r == hexed("mac_r_masked")
    assert mask_r(b"\xff" * 16).hex() == "ffffff0ffcffff0ffcffff0ffcffff0f"


@given(st.binary(max_size=100))
def test_sealed_text_is_what_the_definition_says(plain: bytes) -> None:
    sealed = Sealer(KEY).seal(plain)
    iv, ciphertext, mac = sealed[:16], sealed[16:-16], sealed[-16:]
    assert len(sealed) == len(plain) + OVERHEAD
    assert aes_ctr(KEY.encrypt, iv, ciphertext) == plain
    assert poly1305_aes(KEY, iv, ciphertext) == mac


def test_one_sealer_seals_many_and_never_with_the_same_iv() -> None:
    sealer = Sealer(KEY)
    sealed = [sealer.seal(b"the same") for _ in range(200)]
    assert len({text[:16] for text in sealed}) == 200
    assert {sealer.open(text) for text in sealed} == {b"the same"}


def test_every_changed_bit_is_noticed() -> None:
    sealer, sealed = Sealer(KEY), bytearray(hexed("sealed"))
    for bit in range(len(sealed) * 8):
        sealed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DamagedError):
            sealer.open(bytes(sealed))
        sealed[bit // 8] ^= 1 << bit % 8
    assert sealer.open(bytes(sealed)) == hexed("plain")


@pytest.mark.parametrize("length", [0, 1, 16, 31])
def test_too_short_to_be_sealed(length: int) -> None:
    with pytest.raises(DamagedError):
        Sealer(KEY).open(bytes(length))


def test_keys_do_not_show_themselves() -> None:
    assert KEY.encrypt.hex() not in repr(KEY)
    assert str(KEY.encrypt) not in repr(KEY)
    assert "mac_r" not in repr(KEY)


def test_a_key_of_wrong_length_is_refused() -> None:
    with pytest.raises(DamagedError):
        SealKey(bytes(31), bytes(16), bytes(16))
