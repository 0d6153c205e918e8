"""The backend for servers that speak restic's REST protocol.

What a request costs in patience, and what a response means, is said elsewhere (`http_client`,
`rest_responses`); here is which request each act of a backend is.
"""

import contextlib
import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import orjson

from nightsafe.backend.base import Backend, Listing, ObjectKind, check_name, is_name
from nightsafe.backend.connections import TROUBLES, basic
from nightsafe.backend.http_client import HttpClient, read_body
from nightsafe.backend.rest_responses import (
    EXISTS,
    NO_LISTING,
    REASON_SIZE,
    parse_listing,
)
from nightsafe.backend.rest_url import DEFAULT_PATIENCE, Credential, RemoteUrl
from nightsafe.backend.service import ControlApi, joined
from nightsafe.errors import (
    AccessRefusedError,
    ObjectExistsError,
    ObjectNotFoundError,
    SettingsError,
    StorageError,
)

_ACCEPT = "application/vnd.x.restic.rest.v2"
_MAX_LISTING = 1 << 30
_VAULT = re.compile(r"(?P<site>https?://.*)/restic/(?P<vault>[a-z2-7]{20})/")
_MAX_ANSWER = 64 << 20


class RestBackend(ControlApi):
    """Storage behind a URL; see `nightsafe.backend.base.Backend` for the contract.

    `patience` is the number of seconds for which one request is tried again, `cacert` a file of
    certificates that are believed instead of the system's.
    """

    def __init__(
        self,
        url: str,
        credential: Credential | None = None,
        *,
        patience: float = DEFAULT_PATIENCE,
        cacert: str = "",
    ) -> None:
        parsed = RemoteUrl.parse(url)
        headers = {
            "Accept": _ACCEPT,
            "Content-Type": "application/octet-stream",
            "User-Agent": "nightsafe",
        }
        credential = credential or parsed.credential
        if credential is not None:
            headers["Authorization"] = basic(credential)
        at = _VAULT.fullmatch(parsed.url)
        self._control = f"{at['site']}/api/v1/vaults/{at['vault']}/" if at else ""
        self._client = HttpClient(parsed.url, headers, patience, cacert)

    def joined(self) -> Backend:
        """Itself, as a vault of the service if its address has that form and it answers so."""
        return joined(self) if self._control else self

    def call(self, what: str, fields: Mapping[str, object]) -> dict[str, Any]:
        """Make a request of the service's control API; returns its answer.

        ObjectNotFoundError or AccessRefusedError where there is no such API.
        """
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        body = orjson.dumps(fields)
        answer = self._client.request(
            "POST",
            self._control + what,
            body=body,
            headers=headers,
            limit=_MAX_ANSWER,
            is_call=True,
        )
        try:
            found = orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            found = None
        if not isinstance(found, dict):
            raise ObjectNotFoundError("The server does not speak the service's control API.")
        return found

    def send_direct(self, url: str, headers: Mapping[str, str], file: BinaryIO) -> bool:
        """Send a file to the presigned address that the service gave; whether the store has it.

        One try, without the credential. Who hears no sends it through the service.
        """
        try:
            with self._client.ask_direct("PUT", url, headers, file) as response:
                read_body(response, REASON_SIZE)
                return response.status in (200, 201, 204, 412)
        except (*TROUBLES, StorageError, SettingsError):
            return False

    def load_direct(
        self, url: str, headers: Mapping[str, str], *, offset: int, length: int | None, limit: int
    ) -> bytes | None:
        """What a presigned address holds: all of it, at most `limit` bytes, or `length` bytes
        from `offset`. None if that was not to be had.
        """
        if length is not None:
            headers = {**headers, "Range": f"bytes={offset}-{offset + length - 1}"}
        try:
            with self._client.ask_direct("GET", url, headers) as response:
                if response.status != (200 if length is None else 206):
                    return None
                said = response.headers.get("Content-Length", "")
                most = limit if length is None else length
                data = read_body(response, most)
        except (*TROUBLES, StorageError, SettingsError):
            return None
        return data if len(data) <= most and str(len(data)) == said else None

    @property
    def location(self) -> str:
        return self._client.url

    def create(self) -> None:
        self._client.request("POST", "?create=true", body=b"")

    def list(self, kind: ObjectKind) -> Iterator[Listing]:
        if kind is ObjectKind.CONFIG:
            with contextlib.suppress(ObjectNotFoundError):
                yield Listing(kind.value, self.size(kind, kind.value))
            return
        answer = self._client.request("GET", f"{kind.value}/", limit=_MAX_LISTING)
        for entry in parse_listing(answer.body):
            match entry:
                case {"name": str(name)} | str(name) if not is_name(kind, name):
                    continue
                case {"name": str(name), "size": int(size)}:
                    yield Listing(name, size)
                case str(name):  # version 1 of the protocol
                    yield Listing(name, self.size(kind, name))
                case _:  # what is not understood might be what must not be missed
                    raise StorageError(NO_LISTING)

    def size(self, kind: ObjectKind, name: str) -> int:
        answer = self._client.request("HEAD", _path(kind, name))
        length = answer.headers.get("Content-Length", "")
        if not length.isdecimal():
            raise StorageError("The server did not say how large an object is; try again later.")
        return int(length)

    def load(
        self, kind: ObjectKind, name: str, *, offset: int = 0, length: int | None = None
    ) -> bytes:
        path = _path(kind, name)
        if length is None and not offset:
            return self._client.request("GET", path, limit=kind.max_size).body
        end = "" if length is None else str(offset + length - 1)
        headers = {"Range": f"bytes={offset}-{end}"}
        limit = kind.max_size if length is None else length
        answer = self._client.request(
            "GET", path, headers=headers, limit=limit, whole_limit=kind.max_size
        )
        if answer.status == 206:
            return answer.body
        return answer.body[offset:] if length is None else answer.body[offset : offset + length]

    def save(self, kind: ObjectKind, name: str, data: bytes | memoryview) -> None:
        try:
            self._client.request("POST", _path(kind, name), body=data)
        except AccessRefusedError:
            # Some servers refuse to store what they hold already, as after a lost answer.
            if kind is ObjectKind.LOCK:
                raise
            held = self._size_or_none(kind, name)
            if held == len(data) and self._holds(kind, name, data):
                return
            if kind is ObjectKind.CONFIG and held is not None:
                raise ObjectExistsError(EXISTS) from None
            raise

    def _size_or_none(self, kind: ObjectKind, name: str) -> int | None:
        try:
            return self.size(kind, name)
        except StorageError:
            return None

    def _holds(self, kind: ObjectKind, name: str, data: bytes | memoryview) -> bool:
        try:
            return self.load(kind, name) == data
        except StorageError:
            return False

    def remove(self, kind: ObjectKind, name: str) -> None:
        self._client.request("DELETE", _path(kind, name))

    def fresh(self) -> "RestBackend":
        other = copy.copy(self)
        other._client = copy.copy(self._client)
        return other

    def close(self) -> None:
        self._client.close()


def _path(kind: ObjectKind, name: str) -> str:
    check_name(kind, name)
    return name if kind is ObjectKind.CONFIG else f"{kind.value}/{name}"
