"""Seals in Python with the library `cryptography`, where the C extension is not built."""

import hmac
import os
from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.poly1305 import Poly1305

from nightsafe.crypto.seal_key import IV_SIZE, MAC_SIZE, OVERHEAD, SealKey
from nightsafe.errors import DamagedError

_BATCH = 256
_process = 1
"""A number that differs in every forked process."""


def _forked() -> None:
    global _process
    _process += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


class PortableSealer:
    """Seals and opens with one key; keeps cipher contexts, so one instance per thread.

    The C extension has the same interface and less overhead for small texts.
    """

    _drawn_in = 0  # the process that drew the nonces: a fork must not reuse them

    def __init__(self, key: SealKey) -> None:
        counter = Cipher(algorithms.AES(key.encrypt), modes.CTR(bytes(IV_SIZE)))
        # Poly1305-AES is defined by one block of bare AES; there is no mode to choose.
        block = Cipher(algorithms.AES(key.mac_k), modes.ECB())  # noqa: S305
        self._stream = counter.encryptor()
        self._block = block.encryptor()
        self._r = key.mac_r
        self._nonces = self._pads = b""
        self._position = 0

    def seal_into(self, target: memoryview, start: int, plain: bytes | memoryview) -> int:
        """Seal into `target` from `start`; returns the end of the sealed text.

        Much faster than `seal` for small texts, because nonces are drawn in batches.
        """
        position = self._position
        if position == len(self._nonces) or self._drawn_in != _process:
            self._draw_nonces()
            position = 0
        self._position = after = position + IV_SIZE
        begin = start + IV_SIZE
        end = begin + len(plain)
        nonce, ciphertext = self._nonces[position:after], target[begin:end]
        target[start:begin] = nonce
        self._stream.reset_nonce(nonce)
        self._stream.update_into(plain, ciphertext)
        tag = Poly1305.generate_tag(self._r + self._pads[position:after], ciphertext)
        target[end : end + MAC_SIZE] = tag
        return end + MAC_SIZE

    def _draw_nonces(self) -> None:
        self._nonces = os.urandom(IV_SIZE * _BATCH)
        self._pads = self._block.update(self._nonces)
        self._drawn_in = _process

    def seal(self, plain: bytes | memoryview) -> bytes:
        """Return `plain` sealed under a fresh random IV, `OVERHEAD` bytes longer."""
        iv = os.urandom(IV_SIZE)
        self._stream.reset_nonce(iv)
        ciphertext = self._stream.update(plain)
        return b"".join((iv, ciphertext, self._mac(iv, ciphertext)))

    def open(self, sealed: bytes | memoryview) -> bytes:
        """Return the plaintext; DamagedError, and no byte of it, if the MAC does not match."""
        if len(sealed) < OVERHEAD:
            raise DamagedError("A sealed text is too short to be one; it is damaged.")
        view = memoryview(sealed)
        iv, ciphertext = bytes(view[:IV_SIZE]), view[IV_SIZE:-MAC_SIZE]
        if not hmac.compare_digest(self._mac(iv, ciphertext), bytes(view[-MAC_SIZE:])):
            raise DamagedError("A sealed text fails its MAC: it was changed after it was written.")
        self._stream.reset_nonce(iv)
        return self._stream.update(ciphertext)

    def peek(self, sealed: bytes | memoryview) -> bytes | memoryview:
        """Like `open`, but the next call may overwrite the returned bytes."""
        return self.open(sealed)

    def put(
        self,
        target: memoryview,
        start: int,
        text: bytes | memoryview,
        plain: bytes | memoryview,
        decompress: Callable[[memoryview], bytes] | None,
    ) -> int | None:
        """Seal `text` into `target` from `start`, and open it again as a check.

        Returns the end of the sealed text; None if it did not open to `plain`, decompressed if need
        be.
        """
        end = self.seal_into(target, start, text)
        try:
            opened = self.open(target[start:end])
        except DamagedError:
            return None
        if decompress is not None:
            opened = decompress(memoryview(opened))
        return end if opened == plain else None

    def _mac(self, iv: bytes, ciphertext: bytes | memoryview) -> bytes:
        return Poly1305.generate_tag(self._r + self._block.update(iv), ciphertext)
