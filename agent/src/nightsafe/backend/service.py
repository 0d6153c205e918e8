"""The backend for the service's control API, which bundles many REST requests into one.

One request returns everything that a command needs at its start. Each part of the response is used
once, for the first request of its kind; later requests go to the server. A server without the
control API is used as a plain REST backend.
"""

import base64
import binascii
import contextlib
import copy
import time
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, BinaryIO, NamedTuple

from nightsafe.backend.base import (
    Backend,
    Batching,
    BatchLimits,
    Listing,
    Named,
    ObjectKind,
    is_name,
)
from nightsafe.errors import AccessRefusedError, ObjectNotFoundError, StorageError

_FRESH_SECONDS = 120.0
_FIRST_URLS, _MAX_URLS = 16, 256
"""Packs per request for presigned URLs: few at first, since a small file may need only one."""
_URL_SECONDS = 900.0


class ControlApi(Backend):
    """A backend whose server may offer the control API."""

    @abstractmethod
    def call(self, what: str, fields: Mapping[str, object]) -> dict[str, Any]:
        """Call the control API; returns the decoded response."""

    @abstractmethod
    def send_direct(self, url: str, headers: Mapping[str, str], file: BinaryIO) -> bool:
        """Upload a file to a presigned URL; returns whether that succeeded."""

    @abstractmethod
    def load_direct(
        self, url: str, headers: Mapping[str, str], *, offset: int, length: int | None, limit: int
    ) -> bytes | None:
        """Download from a presigned URL; None if that failed."""

    @abstractmethod
    def fresh(self) -> "ControlApi":
        """See Backend."""


class _PresignedUrl(NamedTuple):
    url: str
    headers: dict[str, str]
    until: float


def upgraded(rest: ControlApi) -> Backend:
    """Return a ServiceBackend if the server offers the control API, else `rest` itself."""
    try:
        return ServiceBackend(rest, rest.call("begin", {}))
    except (ObjectNotFoundError, AccessRefusedError, _InvalidResponseError):
        return rest  # a wrong credential is reported by the first request


class ServiceBackend(Batching):
    """A vault of the service; a backup begins and finishes with one request each."""

    largest_snapshot = 700_000

    def __init__(self, rest: ControlApi, response: dict[str, Any]) -> None:
        self.rest = rest
        self._epoch = -1
        self._lost_packs: frozenset[str] = frozenset()
        self._batch = BatchLimits(0, 0)
        self._takes_batches = False
        self._sequence = -1
        self._lists: dict[ObjectKind, list[Listing]] = {}
        self._objects: dict[tuple[ObjectKind, str], bytes] = {}
        self._index: list[Listing] = []
        self._fresh_until = 0.0
        self._packs: list[str] = []
        self._order: dict[str, int] = {}
        self._urls: dict[str, _PresignedUrl | None] = {}
        self._fetched: set[tuple[str, int]] = set()
        self._next_urls = _FIRST_URLS
        self._apply(response)

    # The control API

    @property
    def epoch(self) -> int:
        return self._epoch

    @property
    def lost_packs(self) -> frozenset[str]:
        return self._lost_packs

    @property
    def batching(self) -> Batching | None:
        return self if self._takes_batches else None

    @property
    def batch_limits(self) -> BatchLimits:
        return self._batch

    @property
    def reports_locks(self) -> bool:
        return True

    def begin(self, lock: Named) -> Sequence[Named]:
        """Store a lock and refresh the vault's state; returns the locks of others.

        If two clients do this at the same time, at least one sees the other's lock.
        """
        since = {"epoch": self._epoch, "sequence": self._sequence}
        response = self.rest.call("begin", {"lock": _named(lock), "since": since})
        self._apply(response)
        return [(_text(entry, "name"), _bytes(entry)) for entry in _entries(response, "locks")]

    def finish(self, snapshot: Named, *, unread: int, lock: str = "") -> bool:
        if len(snapshot[1]) > self.largest_snapshot:
            return super().finish(snapshot, unread=unread, lock=lock)
        self.conclude(snapshot, unread=unread, lock=lock)
        return True

    def conclude(
        self, snapshot: Named, *, unread: int, lock: str = "", commit: Sequence[str] = ()
    ) -> tuple[list[dict[str, Any]], bool]:
        fields: dict[str, object] = {
            "snapshot": _named(snapshot),
            "unread": unread,
            "commit": list(commit),
        }
        if lock:
            fields["lock"] = lock
        response = self.rest.call("finish", fields)
        return _entries(response, "committed"), response.get("finished") is True

    def report_failure(self, word: str) -> None:
        self.rest.call("report", {"failed": word})

    def uploads(
        self,
        objects: Sequence[tuple[ObjectKind, str, int]],
        *,
        commit: Sequence[str] = (),
        give_up: Sequence[str] = (),
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        listed = [{"type": k.value, "name": name, "size": size} for k, name, size in objects]
        response = self.rest.call(
            "uploads", {"objects": listed, "commit": list(commit), "give_up": list(give_up)}
        )
        committed, offered = _entries(response, "committed"), _entries(response, "objects")
        if (len(committed), len(offered)) != (len(commit), len(objects)):
            raise _InvalidResponseError
        return committed, offered

    def send_direct(self, url: str, headers: Mapping[str, str], file: BinaryIO) -> bool:
        return self.rest.send_direct(url, headers, file)

    def will_read(self, packs: Sequence[str]) -> None:
        """Announce the packs to be read, in about this order.

        Presigned URLs are then requested for many packs at once.
        """
        self._packs = list(packs)
        self._order = {name: at for at, name in enumerate(self._packs)}

    def _apply(self, response: dict[str, Any]) -> None:
        try:
            self._epoch, self._sequence = int(response["epoch"]), int(response["sequence"])
            direct = response["direct"]
            self._batch = BatchLimits(int(direct["objects"]), int(direct["bytes"]))
            self._takes_batches = direct["uploads"] is True
        except (KeyError, TypeError, ValueError):
            raise _InvalidResponseError from None
        wanted = _entries(response, "wanted")
        self._lost_packs = frozenset(
            _text(one, "name") for one in wanted if one.get("type") == "data"
        )
        self._lists = {}
        for kind in (ObjectKind.KEY, ObjectKind.SNAPSHOT):
            found = _listing(response, kind)
            if found is not None:
                self._lists[kind] = found
        self._apply_index(response)
        for entry in _entries(response, "bodies"):
            with contextlib.suppress(ValueError):
                kind = ObjectKind(_text(entry, "type"))
                self._objects[kind, _text(entry, "name")] = _bytes(entry)
        self._fresh_until = time.monotonic() + _FRESH_SECONDS

    def _apply_index(self, response: dict[str, Any]) -> None:
        found = _listing(response, ObjectKind.INDEX)
        if found is None:
            return
        is_addition = response["index"].get("since") is not None
        self._index = self._index + found if is_addition else found
        self._lists[ObjectKind.INDEX] = self._index

    # Operations of every backend

    @property
    def location(self) -> str:
        return self.rest.location

    def create(self) -> None:
        self.rest.create()

    def list(self, kind: ObjectKind) -> Iterator[Listing]:
        cached = self._lists.pop(kind, None)
        if cached is not None and time.monotonic() < self._fresh_until:
            yield from cached
        else:
            yield from self.rest.list(kind)

    def size(self, kind: ObjectKind, name: str) -> int:
        return self.rest.size(kind, name)

    def load(
        self, kind: ObjectKind, name: str, *, offset: int = 0, length: int | None = None
    ) -> bytes:
        if not offset and length is None:
            cached = self._objects.pop((kind, name), None)
            if cached is not None:
                return cached
        if kind is ObjectKind.DATA and name in self._order and (length or not offset):
            data = self._load_direct(name, offset, length)
            if data is not None:
                return data
        return self.rest.load(kind, name, offset=offset, length=length)

    def _load_direct(self, name: str, offset: int, length: int | None) -> bytes | None:
        """Download from the store, once per range.

        A repeated request means that the bytes were not usable, and goes to the service instead.
        """
        if (name, offset) in self._fetched:
            return None
        presigned = self._urls.get(name)
        if name not in self._urls or (presigned and presigned.until < time.monotonic()):
            self._request_urls(name)
            presigned = self._urls.get(name)
        if presigned is None:
            return None
        self._fetched.add((name, offset))
        limit = ObjectKind.DATA.max_size
        return self.rest.load_direct(
            presigned.url, presigned.headers, offset=offset, length=length, limit=limit
        )

    def _request_urls(self, name: str) -> None:
        at = self._order[name]
        following = (*islice(self._packs, at, None), *islice(self._packs, at))
        names = [one for one in following if one == name or one not in self._urls]
        names = names[: self._next_urls]
        self._next_urls = min(4 * self._next_urls, _MAX_URLS)
        self._urls |= dict.fromkeys(names)
        objects = [{"type": ObjectKind.DATA.value, "name": one} for one in names]
        try:
            offers = _entries(self.rest.call("downloads", {"objects": objects}), "objects")
        except StorageError:
            return
        until = time.monotonic() + _URL_SECONDS
        for one, offer in zip(names, offers, strict=False):
            match offer:
                case {"status": "get", "url": str(url), "headers": dict(headers)}:
                    self._urls[one] = _PresignedUrl(url, headers, until)

    def save(self, kind: ObjectKind, name: str, data: bytes | memoryview) -> None:
        self.rest.save(kind, name, data)

    def remove(self, kind: ObjectKind, name: str) -> None:
        self.rest.remove(kind, name)

    def fresh(self) -> "ServiceBackend":
        other = copy.copy(self)
        other.rest = self.rest.fresh()
        other._urls, other._fetched = {}, set()  # noqa: SLF001, of the same class
        return other

    def close(self) -> None:
        self.rest.close()


class _InvalidResponseError(StorageError):
    """A response that does not follow the control API."""

    def __init__(self) -> None:
        super().__init__("The server's answer is not readable; is it older than this program?")


def _named(body: Named) -> dict[str, str]:
    name, content = body
    return {"name": name, "body": base64.b64encode(content).decode()}


def _entries(response: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = response.get(name)
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise _InvalidResponseError
    return found


def _listing(response: dict[str, Any], kind: ObjectKind) -> list[Listing] | None:
    """Return the listed objects of a kind; None if there were too many to include."""
    part = response.get(kind.value)
    if not isinstance(part, dict):
        raise _InvalidResponseError
    if part.get("complete") is not True:
        return None
    found = []
    for entry in _entries(part, "objects"):
        name, size = _text(entry, "name"), entry.get("size")
        if is_name(kind, name):
            if not isinstance(size, int):
                raise _InvalidResponseError
            found.append(Listing(name, size))
    return found


def _text(entry: dict[str, Any], name: str) -> str:
    found = entry.get(name)
    if not isinstance(found, str):
        raise _InvalidResponseError
    return found


def _bytes(entry: dict[str, Any]) -> bytes:
    try:
        return base64.b64decode(_text(entry, "body"), validate=True)
    except (binascii.Error, ValueError):
        raise _InvalidResponseError from None
