"""Key objects: the master key, sealed with a key that scrypt derives from a passphrase.

A key object is plain JSON, since it must be readable before any key is known, and does not say who
made it: `username` and `hostname` stay empty.
"""

import base64
import binascii
import contextlib
import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from nightsafe.crypto.seal_key import SealKey
from nightsafe.crypto.sealer import Sealer
from nightsafe.errors import DamagedError, PassphraseError, UnsupportedError, WeakKeyError

try:
    from nightsafe._native import scrypt as native
except ImportError:  # not built here
    native = None  # type: ignore[assignment]

SALT_SIZE = 64
MAX_KEYS = 20
"""How many key objects are tried, as in stock restic."""

_MIN_N, _MAX_N = 1 << 14, 1 << 20
_MIN_MEMORY, _MAX_MEMORY = 16 << 20, 1 << 30
_MAX_WORK, _MAX_LANES = 1 << 26, 8 << 20
LANES_MEMORY = 256 << 20
_LANES_IN_THREAD = 2
_KEY_SIZE = 64
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


class KdfParams(NamedTuple):
    """The cost of scrypt: N iterations over blocks of 128·r bytes, p times."""

    n: int = 1 << 16
    r: int = 8
    p: int = 2

    @property
    def is_weak(self) -> bool:
        """Whether an attacker with the key object could try many passphrases a second."""
        return self.n < _MIN_N or 128 * self.n * self.r < _MIN_MEMORY

    def check(self) -> None:
        """Raise WeakKeyError if the cost is excessive, DamagedError if the parameters are invalid.

        Weak ones pass: stock restic writes them on busy or small computers.
        """
        n, r, p = self
        if n < 2 or n & (n - 1) or r < 1 or p < 1:
            raise DamagedError("A key object is damaged: its scrypt parameters make no sense.")
        lanes = 128 * r * p
        if n > _MAX_N or 128 * n * r > _MAX_MEMORY or n * r * p > _MAX_WORK or lanes > _MAX_LANES:
            raise WeakKeyError(
                "This key object asks for more scrypt work than any honest program does, so it "
                "is refused. If you did not write it, someone else can write to your keys."
            )

    def check_new(self) -> None:
        """Like `check`, and WeakKeyError if the cost is too low for a new key."""
        self.check()
        if self.is_weak:
            raise WeakKeyError(
                "A key with so little scrypt work does not protect a passphrase; none was written."
            )


def derive(passphrase: str, *, salt: bytes, params: KdfParams) -> SealKey:
    """Derive the sealing key of a key object; checks `params` first."""
    params.check()
    secret = passphrase.encode("utf-8", "surrogateescape")
    if native is not None:
        with contextlib.suppress(MemoryError):
            return SealKey.from_bytes(derive_in_lanes(secret, salt, params))
    if params.n >> min(16 * params.r, 64):
        from nightsafe.crypto.scrypt_portable import (
            romix,  # OpenSSL refuses so many turns with so little memory
        )

        return SealKey.from_bytes(derive_with(secret, salt, params, romix))
    raw = hashlib.scrypt(
        secret,
        salt=salt,
        n=params.n,
        r=params.r,
        p=params.p,
        dklen=_KEY_SIZE,
        maxmem=128 * params.r * (params.n + params.p + 2) + (1 << 16),
    )
    return SealKey.from_bytes(raw)


def derive_in_lanes(secret: bytes, salt: bytes, params: KdfParams) -> bytes:
    """Run scrypt with as many of its `p` lanes at a time as cores and memory allow."""
    room = max(1, LANES_MEMORY // (128 * params.n * params.r))
    together = min(params.p, room, _LANES_IN_THREAD * (os.cpu_count() or 1))
    return derive_with(
        secret, salt, params, lambda lanes, n, r: native.romix(lanes, n, r, together)
    )


def derive_with(
    secret: bytes, salt: bytes, params: KdfParams, romix: Callable[[bytes, int, int], bytes]
) -> bytes:
    """Run scrypt (RFC 7914) with an implementation of its memory-hard part; returns 64 bytes."""
    lanes = hashlib.pbkdf2_hmac("sha256", secret, salt, 1, 128 * params.r * params.p)
    mixed = romix(lanes, params.n, params.r)
    return hashlib.pbkdf2_hmac("sha256", secret, mixed, 1, _KEY_SIZE)


def wrap(master: SealKey, passphrase: str, params: KdfParams | None = None) -> bytes:
    """Seal the master key in a new key object, and verify that it opens."""
    if not passphrase:
        raise PassphraseError("An empty passphrase protects nothing; choose one and try again.")
    params = params or KdfParams()
    params.check_new()
    salt = os.urandom(SALT_SIZE)
    sealed = Sealer(derive(passphrase, salt=salt, params=params)).seal(_encode_master(master))
    key_object = _encode(
        {
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "username": "",
            "hostname": "",
            "kdf": "scrypt",
            "N": params.n,
            "r": params.r,
            "p": params.p,
            "salt": base64.b64encode(salt).decode(),
            "data": base64.b64encode(sealed).decode(),
        }
    )
    if unwrap(key_object, passphrase) != master:
        raise DamagedError("A new key did not open again; this computer's memory may be faulty.")
    return key_object


def unwrap(key_object: bytes, passphrase: str) -> SealKey:
    """Return the master key in a key object.

    PassphraseError for a wrong passphrase; WeakKeyError (cost too high) and UnsupportedError before
    deriving; DamagedError if the object is not a key.
    """
    return open_key_object(key_object, passphrase).master


class FoundKey(NamedTuple):
    """A master key, and whether the key object that held it is weak."""

    master: SealKey
    is_weak: bool


def open_key_object(key_object: bytes, passphrase: str) -> FoundKey:
    """Open a key object with a passphrase; raises as `unwrap` does."""
    fields = _parse(key_object, "key object")
    if fields.get("kdf") != "scrypt":
        raise UnsupportedError("A key uses a derivation other than scrypt; update the agent.")
    params = KdfParams(*(_integer(fields.get(name)) for name in ("N", "r", "p")))
    salt, sealed = _base64(fields.get("salt")), _base64(fields.get("data"))
    sealer = Sealer(derive(passphrase, salt=salt, params=params))
    try:
        plain = sealer.open(sealed)
    except DamagedError:
        raise PassphraseError("This passphrase does not open the key.") from None
    return FoundKey(_decode_master(plain), params.is_weak)


def find_key(
    key_objects: Iterable[bytes],
    passphrase: str,
    *others: str,
    fits: Callable[[SealKey], bool] = lambda master: True,
) -> FoundKey:
    """Open the first key object that the passphrase fits. A damaged one does not hide a good one.

    `others` are passphrases that are tried with every key after the first passphrase. A master key
    that does not fit is passed over: two may have made the repository at the same moment.
    """
    if not passphrase:
        raise PassphraseError("The passphrase is empty; give the one chosen at `nightsafe init`.")
    tried: list[bytes] = []
    refusal: Exception | None = None
    for secret in (passphrase, *others):
        for key_object in tried or _first(key_objects, tried):
            try:
                found = open_key_object(key_object, secret)
                if fits(found.master):
                    return found
                refusal = DamagedError(
                    "This passphrase opens a key, but that key does not open the repository's "
                    "config: it is left of another beginning, and another passphrase is the right "
                    "one, or the config is damaged."
                )
            except PassphraseError:
                continue
            except (DamagedError, UnsupportedError, WeakKeyError) as error:
                refusal = error
    if refusal is not None:
        raise refusal
    many = len(tried) == MAX_KEYS
    which = f"none of the first {MAX_KEYS} keys" if many else "no key of this repository"
    raise PassphraseError(
        f"Wrong passphrase: {which} opens with it. Check for typing errors and the keyboard "
        "layout; it cannot be reset by anyone."
    )


def _first(key_objects: Iterable[bytes], tried: list[bytes]) -> Iterator[bytes]:
    """Yield at most MAX_KEYS key objects, and append each to `tried`."""
    for key_object in islice(key_objects, MAX_KEYS):
        tried.append(key_object)
        yield key_object


def _encode_master(master: SealKey) -> bytes:
    k, r, encrypt = (
        base64.b64encode(part).decode() for part in (master.mac_k, master.mac_r, master.encrypt)
    )
    return _encode({"mac": {"k": k, "r": r}, "encrypt": encrypt})


def _decode_master(plain: bytes) -> SealKey:
    fields = _parse(plain, "master key")
    mac = fields.get("mac")
    if not isinstance(mac, dict):
        raise DamagedError("The master key is damaged: its MAC keys are missing.")
    return SealKey(_base64(fields.get("encrypt")), _base64(mac.get("k")), _base64(mac.get("r")))


def _encode(fields: object) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()


def _parse(raw: bytes, what: str) -> dict[str, object]:
    # By the standard library, since the key is needed before orjson is loaded.
    try:
        fields = json.loads(raw.decode())
    except (ValueError, RecursionError):
        raise DamagedError(f"A {what} is damaged: it is not JSON.") from None
    if not isinstance(fields, dict):
        raise DamagedError(f"A {what} is damaged: it is not a JSON object.")
    return fields


def _integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise DamagedError("A key object is damaged: a scrypt parameter is not a number.")
    return value


def _base64(value: object) -> bytes:
    if not isinstance(value, str) or not _BASE64.fullmatch(value):
        raise DamagedError("A key object is damaged: a field is not base64.")
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error:
        raise DamagedError("A key object is damaged: a field is not base64.") from None
