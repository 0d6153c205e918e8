"""Loads and removes many objects concurrently, through the local cache.

With a slow connection, sequential requests would dominate most commands. Immutable objects are
fetched once and stay cached until the vault no longer has them.
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
"""Index files may be large, and each thread holds two at once."""
_MAX_CHECKED = 16
"""Maximum number of unlisted names that are looked up one by one."""

Text = bytes | DamagedError | ObjectNotFoundError
"""An object's JSON text, or what is wrong with the object."""


def threads_for(repository: SealedObjects) -> int:
    """Return how many concurrent requests suit the repository's backend."""
    return repository.storage.connections


def cache_of(repository: SealedObjects, kind: ObjectKind) -> ObjectCache | None:
    """Return the cache for a kind; None if caching is useless or impossible."""
    if not repository.storage.is_worth_caching:
        return None
    folder = vault_folder(cache_dir(), repository.master, repository.config.id)
    return ObjectCache.below(folder, kind)


def load_texts(
    repository: SealedObjects, kind: ObjectKind, names: Iterable[str], *, cache: ObjectCache | None
) -> Iterator[tuple[str, Text]]:
    """Yield each object's name and text, in no particular order."""
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
        for _ in range(_MORE_ATTEMPTS):  # another response may be good
            if isinstance(found, bytes) and not isinstance(text, bytes):
                found = _fetch(repository, kind, name)
                text = _open(repository, kind, name, found)
        if cache is not None and isinstance(found, bytes) and isinstance(text, bytes):
            cache.put(name, found)
        yield name, text


def text_of(text: Text) -> bytes:
    """Return the text, or raise the error that stands in its place."""
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
    """Remove objects concurrently; yields each name and whether it existed."""

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
    """Split cached names that are no longer listed into those gone and those still there.

    The listing alone is not trusted: up to a cheap number of them, each is looked up. If one still
    exists, the listing was incomplete.
    """
    names = sorted(cache.names - set(listed))[:_MAX_CHECKED]
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


def evict_removed(repository: SealedObjects, listed: Collection[str], cache: ObjectCache) -> None:
    """Evict objects that the vault no longer has; those that cannot be looked up stay."""
    with contextlib.suppress(StorageError):
        gone, _ = unlisted(repository, listed, cache)
        cache.drop(gone)
