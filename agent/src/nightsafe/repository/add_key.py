"""Adds a passphrase to a repository: one more key object with the same master key."""

import hashlib

from nightsafe.backend.base import Backend, ObjectKind
from nightsafe.crypto.seal_key import SealKey
from nightsafe.errors import RefusedError
from nightsafe.repofile.key import MAX_KEYS, KdfParams, wrap


def make_key(
    storage: Backend, master: SealKey, passphrase: str, *, params: KdfParams | None = None
) -> tuple[str, bytes]:
    """Return the name and the bytes of a new key object; nothing is stored yet.

    RefusedError if it would be one too many to be tried.
    """
    if sum(1 for _ in storage.list(ObjectKind.KEY)) >= MAX_KEYS:
        raise RefusedError(
            f"There are {MAX_KEYS} keys already, and no program tries more of them. Remove one "
            "that is not used any more (`restic key list`, `restic key remove`)."
        )
    key_object = wrap(master, passphrase, params)
    return hashlib.sha256(key_object).hexdigest(), key_object
