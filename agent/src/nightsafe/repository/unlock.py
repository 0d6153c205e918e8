"""Finds the key that a passphrase opens, before anything else of a repository is loaded.

To derive the key takes longer than all the rest of a small command, so it begins first.
"""

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from nightsafe.backend.base import CONFIG_NAME, Backend, ObjectKind
from nightsafe.crypto.seal_key import SealKey
from nightsafe.errors import ObjectNotFoundError, SettingsError, ended
from nightsafe.repofile.key import find_key


class Opening(NamedTuple):
    """A repository's storage, its master key, and its `config` as it is stored, sealed.

    `is_weak` tells that the key object is easy to guess at.
    """

    storage: Backend
    master: SealKey
    config: bytes
    is_weak: bool


def open_key(storage: Backend, passphrase: str, *others: str) -> Opening:
    """Open a key with a passphrase, or one of the others that are tried after it.

    PassphraseError, WeakKeyError or UnsupportedError if none does.
    """
    storage = storage.joined()
    try:
        config = storage.load(ObjectKind.CONFIG, CONFIG_NAME)
    except ObjectNotFoundError as error:
        raise SettingsError(
            f"There is no repository at {storage.location}. {ended(error)} "
            "Check the address, or make one there with `nightsafe init`."
        ) from None
    found = find_key(_key_objects(storage), passphrase, *others)
    return Opening(storage, found.master, config, found.is_weak)


def _key_objects(storage: Backend) -> Iterator[bytes]:
    for listing in storage.list(ObjectKind.KEY):
        key_object = storage.load(ObjectKind.KEY, listing.name)
        if hashlib.sha256(key_object).hexdigest() == listing.name:
            yield key_object
