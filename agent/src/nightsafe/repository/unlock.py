"""Unlocks a repository with a passphrase, before anything else of it is loaded.

Deriving the key takes longer than the rest of a small command, so it starts first.
"""

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from nightsafe.backend.base import CONFIG_NAME, Backend, ObjectKind
from nightsafe.crypto.seal_key import SealKey
from nightsafe.crypto.sealer import Sealer
from nightsafe.errors import DamagedError, ObjectNotFoundError, SettingsError, ended
from nightsafe.repofile.key import find_key


class UnlockedRepository(NamedTuple):
    """A repository's storage, its master key, and its sealed `config`.

    `is_weak`: the passphrase is cheap to guess for whoever has the key object.
    """

    storage: Backend
    master: SealKey
    config: bytes
    is_weak: bool


def open_key(storage: Backend, passphrase: str, *others: str) -> UnlockedRepository:
    """Open a key with a passphrase, or else with one of the others.

    PassphraseError, WeakKeyError or UnsupportedError if none fits; SettingsError if there is no
    repository.
    """
    storage = storage.upgraded()
    config = require_config(storage)
    found = find_key(
        _key_objects(storage), passphrase, *others, fits=lambda master: _opens(master, config)
    )
    return UnlockedRepository(storage, found.master, config, found.is_weak)


def _opens(master: SealKey, config: bytes) -> bool:
    try:
        Sealer(master).open(config)
    except DamagedError:
        return False
    return True


def require_config(storage: Backend) -> bytes:
    """Return the repository's sealed `config`. SettingsError if there is no repository."""
    try:
        return storage.load(ObjectKind.CONFIG, CONFIG_NAME)
    except ObjectNotFoundError as error:
        raise SettingsError(
            f"There is no repository at {storage.location}. {ended(error)} "
            "Check the address, or make one there with `nightsafe init`."
        ) from None


def _key_objects(storage: Backend) -> Iterator[bytes]:
    for listing in storage.list(ObjectKind.KEY):
        key_object = storage.load(ObjectKind.KEY, listing.name)
        if hashlib.sha256(key_object).hexdigest() == listing.name:
            yield key_object
