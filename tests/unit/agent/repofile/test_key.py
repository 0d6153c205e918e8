"""Key objects: what is written, what opens, and what is refused before any work is done."""

import hashlib
import json
import os

import pytest
from nightsafe.crypto.scrypt_portable import romix
from nightsafe.crypto.seal_key import SealKey
from nightsafe.errors import (
    DamagedError,
    NightsafeError,
    PassphraseError,
    UnsupportedError,
    WeakKeyError,
)
from nightsafe.repofile import key
from nightsafe.repofile.key import KdfParams, derive, find_key, unwrap, wrap

from backup_service.env import BASE_DIR
from tests.support.agent.extensions import needs
from tests.support.repositories import CHEAP, key_of_cost

VECTOR = json.loads((BASE_DIR / "tests" / "vectors" / "key.json").read_text())
MASTER = SealKey(*(bytes.fromhex(VECTOR[name]) for name in ("encrypt", "mac_k", "mac_r")))
OBJECT = VECTOR["object"].encode()


def changed(**fields: object) -> bytes:
    return json.dumps(json.loads(OBJECT) | fields).encode()


def test_vector_opens() -> None:
    assert unwrap(OBJECT, VECTOR["passphrase"]) == MASTER


def test_wrong_passphrase() -> None:
    with pytest.raises(PassphraseError):
        unwrap(OBJECT, VECTOR["passphrase"] + " ")


def test_a_new_key_opens_and_tells_nothing_of_its_maker() -> None:
    made = wrap(MASTER, "secret", CHEAP)
    fields = json.loads(made)
    assert unwrap(made, "secret") == MASTER
    assert fields["username"] == fields["hostname"] == ""
    assert set(fields) == {
        *("created", "username", "hostname", "kdf", "N", "r", "p", "salt", "data")
    }
    assert fields["created"].endswith("Z")


def test_default_cost_of_a_new_key() -> None:
    assert KdfParams() == KdfParams(n=65536, r=8, p=2)


def test_an_empty_passphrase_is_refused() -> None:
    with pytest.raises(PassphraseError):
        wrap(MASTER, "", CHEAP)
    with pytest.raises(PassphraseError):
        find_key([OBJECT], "")


@pytest.mark.parametrize(
    "params",
    [
        KdfParams(1 << 21, 8, 1),
        KdfParams(1 << 20, 9, 1),
        KdfParams(1 << 16, 0, 1),
        KdfParams(1 << 16, 8, 0),
        KdfParams(1 << 16, 8, 1 << 20),
        KdfParams((1 << 16) + 1, 8, 1),
        KdfParams(-(1 << 16), 8, 1),
        KdfParams(0, 8, 1),
        KdfParams(1, 8, 1),
        KdfParams(2, 1, 1 << 25),
        KdfParams(2, 1 << 17, 1),
        KdfParams(1 << 62, 1, 1),
    ],
)
def test_unsound_cost_is_refused_before_deriving(
    params: KdfParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    def derive(*_: object, **__: object) -> bytes:
        raise AssertionError("derived")

    for name in ("scrypt", "pbkdf2_hmac"):
        monkeypatch.setattr(f"hashlib.{name}", derive)
    with pytest.raises((WeakKeyError, DamagedError)):
        unwrap(changed(N=params.n, r=params.r, p=params.p), "anything")


@pytest.mark.parametrize("params", [KdfParams(2, 1, 1), KdfParams(1 << 20, 8, 8)])
def test_the_limits_themselves_are_accepted(params: KdfParams) -> None:
    params.check()


@pytest.mark.parametrize(
    "params", [KdfParams(1 << 13, 8, 8), KdfParams(1 << 14, 7, 9), KdfParams(2, 1, 1)]
)
def test_no_weak_key_is_written(params: KdfParams) -> None:
    with pytest.raises(WeakKeyError, match="none was written"):
        wrap(MASTER, "secret", params)


# What stock restic writes on busy and fast computers, and in its own test data.
@pytest.mark.parametrize(
    ("params", "is_weak"),
    [
        (KdfParams(128, 1, 1), True),
        (KdfParams(2, 1, 1), True),
        (KdfParams(1 << 12, 8, 1), True),
        (KdfParams(1 << 13, 8, 3), True),
        (KdfParams(1 << 14, 4, 2), True),
        (KdfParams(1 << 14, 8, 1), False),
        (KdfParams(1 << 15, 7, 2), False),
        (KdfParams(1 << 18, 1, 1), False),
    ],
)
def test_keys_of_stock_restic_open(params: KdfParams, is_weak: bool) -> None:
    made = key_of_cost(MASTER, "secret", params)
    assert find_key([made], "secret") == (MASTER, is_weak)
    with pytest.raises(PassphraseError):
        find_key([made], "Secret")


def test_another_derivation_is_for_a_newer_agent() -> None:
    with pytest.raises(UnsupportedError):
        unwrap(changed(kdf="argon2id"), "anything")


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"not json",
        b"[]",
        b"{}",
        changed(N="65536"),
        changed(N=True),
        changed(salt="?"),
        changed(data=None),
        changed(data="AAAA"),
        changed(salt=7),
    ],
)
def test_a_broken_object_is_an_error_of_ours(broken: bytes) -> None:
    with pytest.raises(NightsafeError):
        unwrap(broken, VECTOR["passphrase"])


def test_every_changed_byte_of_the_sealed_part_is_noticed() -> None:
    data = json.loads(OBJECT)["data"]
    for position in range(0, len(data) - 4, 7):
        other = "A" if data[position] != "A" else "B"
        damaged = changed(data=data[:position] + other + data[position + 1 :])
        with pytest.raises((PassphraseError, DamagedError)):
            unwrap(damaged, VECTOR["passphrase"])


def test_a_broken_key_does_not_hide_a_good_one() -> None:
    dear = changed(N=2**30)
    found = find_key([b"rubbish", dear, changed(N=3), OBJECT], VECTOR["passphrase"])
    assert found == (MASTER, False)


def test_of_broken_keys_alone_the_reason_is_told() -> None:
    with pytest.raises(WeakKeyError):
        find_key([changed(N=2**30)], VECTOR["passphrase"])


def test_no_more_than_twenty_keys_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def refuse(key_object: bytes, passphrase: str) -> key.FoundKey:
        tried.append(key_object)
        raise PassphraseError("no")

    monkeypatch.setattr(key, "open_key_object", refuse)
    with pytest.raises(PassphraseError, match="none of the first 20 keys"):
        find_key([OBJECT] * 50, "x")
    assert len(tried) == 20
    with pytest.raises(PassphraseError, match="no key of this repository"):
        find_key([OBJECT] * 19, "x", "y")
    assert len(tried) == 20 + 2 * 19


# Test vectors of RFC 7914, section 12, and others that the standard library says.


@needs("scrypt")
@pytest.mark.parametrize(
    ("secret", "salt", "params", "begins"),
    [
        (b"", b"", KdfParams(16, 1, 1), "77d6576238657b203b19ca42c18a0497"),
        (b"password", b"NaCl", KdfParams(1024, 8, 16), "fdbabe1c9d3472007856e7190d01e9fe"),
        (
            b"pleaseletmein",
            b"SodiumChloride",
            KdfParams(16384, 8, 1),
            "7023bdcb3afd7348461c06cd81fd38eb",
        ),
    ],
)
def test_lanes_give_what_the_standard_says(
    secret: bytes, salt: bytes, params: KdfParams, begins: str
) -> None:
    assert key.derive_in_lanes(secret, salt, params).hex().startswith(begins)


@needs("scrypt")
@pytest.mark.parametrize("r", [1, 2, 7, 8])
@pytest.mark.parametrize("p", [1, 2, 3, 9, 20])
@pytest.mark.parametrize("room", [1, 1 << 30])
def test_lanes_give_what_the_library_gives(
    monkeypatch: pytest.MonkeyPatch, r: int, p: int, room: int
) -> None:
    """One lane at a time and many; more lanes than threads."""
    monkeypatch.setattr(key, "LANES_MEMORY", room)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    params = KdfParams(64, r, p)
    expected = hashlib.scrypt(b"pass", salt=b"salt", n=64, r=r, p=p, dklen=64)
    assert key.derive_in_lanes(b"pass", b"salt", params) == expected


@needs("scrypt")
def test_lanes_of_nonsense_are_refused() -> None:
    from nightsafe._native import scrypt

    for lanes, n, r, threads in (
        (bytes(128), 15, 1, 1),
        (bytes(128), 0, 1, 1),
        (bytes(128), 16, 0, 1),
        (bytes(127), 16, 1, 1),
        (b"", 16, 1, 1),
        (bytes(128), 16, 1, 0),
    ):
        with pytest.raises(ValueError, match="no sense"):
            scrypt.romix(lanes, n, r, threads)


def test_without_memory_for_lanes_the_library_derives(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = derive("pass", salt=bytes(64), params=CHEAP)

    def fail(*_: object) -> bytes:
        raise MemoryError

    monkeypatch.setattr(key, "derive_in_lanes", fail)
    assert derive("pass", salt=bytes(64), params=CHEAP) == expected


@pytest.mark.parametrize(("n", "r", "p"), [(16, 1, 1), (64, 8, 2), (256, 3, 5), (2, 2, 1)])
def test_python_gives_what_the_library_gives(n: int, r: int, p: int) -> None:
    expected = hashlib.scrypt(b"pass", salt=b"salt", n=n, r=r, p=p, dklen=64)
    assert key.derive_with(b"pass", b"salt", KdfParams(n, r, p), romix) == expected


@needs("scrypt")
def test_what_openssl_does_not_derive_python_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extension, which stands in here for Python's 15 seconds."""
    from nightsafe._native import scrypt

    params = KdfParams(1 << 16, 1, 1)
    with pytest.raises(ValueError, match="memory limit"):
        hashlib.scrypt(b"pass", salt=bytes(64), n=params.n, r=1, p=1, maxmem=1 << 30)
    expected = derive("pass", salt=bytes(64), params=params)
    quick = scrypt.romix
    monkeypatch.setattr(
        "nightsafe.crypto.scrypt_portable.romix", lambda lanes, n, r: quick(lanes, n, r, 1)
    )
    monkeypatch.setattr(key, "native", None)
    assert derive("pass", salt=bytes(64), params=params) == expected
