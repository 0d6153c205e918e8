"""The backend for the service's control API, which answers in one request what REST needs many for.

One question tells everything that a command wants to know at its start; what it told is used
for what is asked first, once, and asked for anew after that. A server that does not know the
question is used as plain storage.
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
_FIRST_ASKED_FOR, _ASKED_FOR = 16, 256
"""Packs for which addresses are asked at a time: few at first, since it may be a small file."""
_ADDRESS_SECONDS = 900.0


class ControlApi(Backend):
    """A backend whose server may speak the control API."""

    @abstractmethod
    def call(self, what: str, fields: Mapping[str, object]) -> dict[str, Any]:
        """Make a request of the control API."""

    @abstractmethod
    def send_direct(self, url: str, headers: Mapping[str, str], file: BinaryIO) -> bool:
        """Send a file to a presigned address; whether that worked."""

    @abstractmethod
    def load_direct(
        self, url: str, headers: Mapping[str, str], *, offset: int, length: int | None, limit: int
    ) -> bytes | None:
        """Read from a presigned address; None if that did not work."""

    @abstractmethod
    def fresh(self) -> "ControlApi":
        """See Backend."""


class _Address(NamedTuple):
    url: str
    headers: dict[str, str]
    until: float


def joined(place: ControlApi) -> Backend:
    """The same place, as a vault of the service if it is one."""
    try:
        return ServiceBackend(place, place.call("begin", {}))
    except (ObjectNotFoundError, AccessRefusedError, _NonsenseError):
        return place  # if it was the credential, that is said there


class ServiceBackend(Batching):
    """A vault of the service, which begins and finishes in one request each."""

    largest_snapshot = 700_000

    def __init__(self, place: ControlApi, answer: dict[str, Any]) -> None:
        self.place = place
        self._epoch = -1
        self._wanted: frozenset[str] = frozenset()
        self._batch = BatchLimits(0, 0)
        self._takes_batches = False
        self._sequence = -1
        self._lists: dict[ObjectKind, list[Listing]] = {}
        self._bodies: dict[tuple[ObjectKind, str], bytes] = {}
        self._index: list[Listing] = []
        self._fresh_until = 0.0
        self._packs: list[str] = []
        self._places: dict[str, int] = {}
        self._addresses: dict[str, _Address | None] = {}
        self._had: set[tuple[str, int]] = set()
        self._next_ask = _FIRST_ASKED_FOR
        self._learn(answer)

    # The control API

    @property
    def epoch(self) -> int:
        return self._epoch

    @property
    def wanted(self) -> frozenset[str]:
        return self._wanted

    @property
    def batching(self) -> Batching | None:
        return self if self._takes_batches else None

    @property
    def batch_limits(self) -> BatchLimits:
        return self._batch

    @property
    def tells_locks(self) -> bool:
        return True

    def begin(self, lock: Named) -> Sequence[Named]:
        """Put a lock and learn anew what the vault holds; returns the locks of others.

        Of two that do this at the same time, one sees the other's lock.
        """
        since = {"epoch": self._epoch, "sequence": self._sequence}
        answer = self.place.call("begin", {"lock": _named(lock), "since": since})
        self._learn(answer)
        return [(_text(entry, "name"), _bytes(entry)) for entry in _entries(answer, "locks")]

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
        answer = self.place.call("finish", fields)
        return _entries(answer, "committed"), answer.get("finished") is True

    def uploads(
        self,
        objects: Sequence[tuple[ObjectKind, str, int]],
        *,
        commit: Sequence[str] = (),
        give_up: Sequence[str] = (),
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        listed = [{"type": k.value, "name": name, "size": size} for k, name, size in objects]
        answer = self.place.call(
            "uploads", {"objects": listed, "commit": list(commit), "give_up": list(give_up)}
        )
        committed, offered = _entries(answer, "committed"), _entries(answer, "objects")
        if (len(committed), len(offered)) != (len(commit), len(objects)):
            raise _NonsenseError
        return committed, offered

    def send_direct(self, url: str, headers: Mapping[str, str], file: BinaryIO) -> bool:
        return self.place.send_direct(url, headers, file)

    def will_read(self, packs: Sequence[str]) -> None:
        """Say which packs are read next, in about this order, so that addresses of many can be
        asked for at once."""
        self._packs = list(packs)
        self._places = {name: at for at, name in enumerate(self._packs)}

    def _learn(self, answer: dict[str, Any]) -> None:
        try:
            self._epoch, self._sequence = int(answer["epoch"]), int(answer["sequence"])
            direct = answer["direct"]
            self._batch = BatchLimits(int(direct["objects"]), int(direct["bytes"]))
            self._takes_batches = direct["uploads"] is True
        except (KeyError, TypeError, ValueError):
            raise _NonsenseError from None
        wanted = _entries(answer, "wanted")
        self._wanted = frozenset(_text(one, "name") for one in wanted if one.get("type") == "data")
        self._lists = {}
        for kind in (ObjectKind.KEY, ObjectKind.SNAPSHOT):
            found = _listing(answer, kind)
            if found is not None:
                self._lists[kind] = found
        self._learn_index(answer)
        for entry in _entries(answer, "bodies"):
            with contextlib.suppress(ValueError):
                kind = ObjectKind(_text(entry, "type"))
                self._bodies[kind, _text(entry, "name")] = _bytes(entry)
        self._fresh_until = time.monotonic() + _FRESH_SECONDS

    def _learn_index(self, answer: dict[str, Any]) -> None:
        found = _listing(answer, ObjectKind.INDEX)
        if found is None:
            return
        is_rest = answer["index"].get("since") is not None
        self._index = self._index + found if is_rest else found
        self._lists[ObjectKind.INDEX] = self._index

    # Storage

    @property
    def location(self) -> str:
        return self.place.location

    def create(self) -> None:
        self.place.create()

    def list(self, kind: ObjectKind) -> Iterator[Listing]:
        known = self._lists.pop(kind, None)
        if known is not None and time.monotonic() < self._fresh_until:
            yield from known
        else:
            yield from self.place.list(kind)

    def size(self, kind: ObjectKind, name: str) -> int:
        return self.place.size(kind, name)

    def load(
        self, kind: ObjectKind, name: str, *, offset: int = 0, length: int | None = None
    ) -> bytes:
        if not offset and length is None:
            known = self._bodies.pop((kind, name), None)
            if known is not None:
                return known
        if kind is ObjectKind.DATA and name in self._places and (length or not offset):
            data = self._load_direct(name, offset, length)
            if data is not None:
                return data
        return self.place.load(kind, name, offset=offset, length=length)

    def _load_direct(self, name: str, offset: int, length: int | None) -> bytes | None:
        """From the store, once each: who asks again had no use for it, and asks the service."""
        if (name, offset) in self._had:
            return None
        address = self._addresses.get(name)
        if name not in self._addresses or (address and address.until < time.monotonic()):
            self._ask_for(name)
            address = self._addresses.get(name)
        if address is None:
            return None
        self._had.add((name, offset))
        limit = ObjectKind.DATA.max_size
        return self.place.load_direct(
            address.url, address.headers, offset=offset, length=length, limit=limit
        )

    def _ask_for(self, name: str) -> None:
        at = self._places[name]
        following = (*islice(self._packs, at, None), *islice(self._packs, at))
        names = [one for one in following if one == name or one not in self._addresses]
        names = names[: self._next_ask]
        self._next_ask = min(4 * self._next_ask, _ASKED_FOR)
        self._addresses |= dict.fromkeys(names)
        objects = [{"type": ObjectKind.DATA.value, "name": one} for one in names]
        try:
            offers = _entries(self.place.call("downloads", {"objects": objects}), "objects")
        except StorageError:
            return
        until = time.monotonic() + _ADDRESS_SECONDS
        for one, offer in zip(names, offers, strict=False):
            match offer:
                case {"status": "get", "url": str(url), "headers": dict(headers)}:
                    self._addresses[one] = _Address(url, headers, until)

    def save(self, kind: ObjectKind, name: str, data: bytes | memoryview) -> None:
        self.place.save(kind, name, data)

    def remove(self, kind: ObjectKind, name: str) -> None:
        self.place.remove(kind, name)

    def fresh(self) -> "ServiceBackend":
        other = copy.copy(self)
        other.place = self.place.fresh()
        other._addresses, other._had = {}, set()
        return other

    def close(self) -> None:
        self.place.close()


class _NonsenseError(StorageError):
    """An answer that is none of the control API's."""

    def __init__(self) -> None:
        super().__init__("The server's answer is not readable; is it older than this program?")


def _named(body: Named) -> dict[str, str]:
    name, content = body
    return {"name": name, "body": base64.b64encode(content).decode()}


def _entries(answer: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = answer.get(name)
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise _NonsenseError
    return found


def _listing(answer: dict[str, Any], kind: ObjectKind) -> list[Listing] | None:
    """The objects of a kind; None if they were too many to come along."""
    part = answer.get(kind.value)
    if not isinstance(part, dict):
        raise _NonsenseError
    if part.get("complete") is not True:
        return None
    found = []
    for entry in _entries(part, "objects"):
        name, size = _text(entry, "name"), entry.get("size")
        if is_name(kind, name):
            if not isinstance(size, int):
                raise _NonsenseError
            found.append(Listing(name, size))
    return found


def _text(entry: dict[str, Any], name: str) -> str:
    found = entry.get(name)
    if not isinstance(found, str):
        raise _NonsenseError
    return found


def _bytes(entry: dict[str, Any]) -> bytes:
    try:
        return base64.b64decode(_text(entry, "body"), validate=True)
    except (binascii.Error, ValueError):
        raise _NonsenseError from None
