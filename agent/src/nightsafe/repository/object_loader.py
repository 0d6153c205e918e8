"""Loads and removes many objects at a time, by way of the local cache.

Where a request takes its time, one after the other would take most of a command's. What never
changes is fetched once; it stays on this computer until the vault has it no more.
"""

import contextlib
from collections.abc import Collection, Iterable, Iterator

from nightsafe.backend.base import CONNECTIONS, ObjectKind
from nightsafe.errors import (
    DamagedError,
    NoCopyError,
    ObjectNotFoundError,
    StorageError,
)
from nightsafe.repository.object_cache import ObjectCache
from nightsafe.repository.sealed_objects import SealedObjects
from nightsafe.repository.vault_folder import vault_folder
from nightsafe.settings.login import cache_dir
from nightsafe.workers.threads import several

_MORE_ATTEMPTS = 2
_THREADS = {ObjectKind.INDEX: 4}
"""Index files may be large, and two for each thread are held at once."""
_ASKED_AFTER = 16
"""Names that are looked up one by one, at most, because a list has them no more."""

Text = bytes | DamagedError | ObjectNotFoundError
"""An object's JSON text, or what is wrong with the object."""


def threads_for(repository: SealedObjects) -> int:
    """How many requests at a time make sense where the repository is."""
    return repository.storage.connections


def cache_of(repository: SealedObjects, kind: ObjectKind) -> ObjectCache | None:
    """Where objects of this kind are kept; None where it is not worth it, or not possible."""
    if not repository.storage.is_worth_caching:
        return None
    folder = vault_folder(cache_dir(), repository.master, repository.config.id)
    return ObjectCache.below(folder, kind)


def load_texts(
    repository: SealedObjects, kind: ObjectKind, names: Iterable[str], *, cache: ObjectCache | None
) -> Iterator[tuple[str, Text]]:
    """Each object's name and text, in no particular order."""
    missing = []
    for name in names:
        sealed = cache.get(name) if cache is not None else None
        if sealed is None:
            missing.append(name)
        else:
            yield name, _open(repository, kind, name, sealed)
    threads = min(threads_for(repository), _THREADS.get(kind, CONNECTIONS))
    for name, found in several(lambda one: _fetch(repository, kind, one), missing, threads=threads):
        text = _open(repository, kind, name, found)
        for _ in range(_MORE_ATTEMPTS):  # another answer may be sound
            if isinstance(found, bytes) and not isinstance(text, bytes):
                found = _fetch(repository, kind, name)
                text = _open(repository, kind, name, found)
        if cache is not None and isinstance(found, bytes) and isinstance(text, bytes):
            cache.put(name, found)
        yield name, text


def text_of(text: Text) -> bytes:
    """The text; raises what is wrong with it."""
    if isinstance(text, bytes):
        return text
    raise text


def _fetch(repository: SealedObjects, kind: ObjectKind, name: str) -> Text:
    try:
        return repository.storage.load(kind, name)
    except NoCopyError as error:
        return DamagedError(str(error))
    except ObjectNotFoundError as error:
        return error


def _open(repository: SealedObjects, kind: ObjectKind, name: str, found: Text) -> Text:
    try:
        return repository.open_text(kind, name, found) if isinstance(found, bytes) else found
    except DamagedError as error:
        return error


def remove_all(
    repository: SealedObjects, kind: ObjectKind, names: Iterable[str]
) -> Iterator[tuple[str, bool]]:
    """Remove objects, several at a time: each name, and whether it was there."""

    def remove(name: str) -> bool:
        try:
            repository.storage.remove(kind, name)
        except ObjectNotFoundError:
            return False
        return True

    yield from several(remove, names, threads=threads_for(repository))


def unlisted(
    repository: SealedObjects, listed: Collection[str], cache: ObjectCache
) -> tuple[list[str], list[str]]:
    """Names that were kept and are not listed: those that are gone, and those that are there.

    A list is not believed for that: each is asked after, of many as many as is cheap. If one of
    them is there, the list was not whole.
    """
    names = sorted(cache.names - set(listed))[:_ASKED_AFTER]
    found: dict[bool, list[str]] = {True: [], False: []}
    for name, is_there in several(
        lambda one: _has(repository, cache.kind, one), names, threads=threads_for(repository)
    ):
        found[is_there].append(name)
    return found[False], found[True]


def _has(repository: SealedObjects, kind: ObjectKind, name: str) -> bool:
    try:
        repository.storage.size(kind, name)
    except ObjectNotFoundError:
        return False
    return True


def drop_gone(repository: SealedObjects, listed: Collection[str], cache: ObjectCache) -> None:
    """Keep no longer what the vault has no more; what cannot be asked after stays."""
    with contextlib.suppress(StorageError):
        gone, _ = unlisted(repository, listed, cache)
        cache.drop(gone)
