"""The backend for servers that speak restic's REST protocol.

It maps each operation to a request; `http_client` retries requests, and `rest_responses` interprets
the responses.
"""

import contextlib
import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import orjson

from nightsafe.backend.base import Backend, Listing, ObjectKind, check_name, is_name
from nightsafe.backend.connections import NETWORK_ERRORS, basic
from nightsafe.backend.http_client import HttpClient, read_body
from nightsafe.backend.rest_responses import (
    EXISTS,
    NO_LISTING,
    REASON_SIZE,
    parse_listing,
)
from nightsafe.backend.rest_url import DEFAULT_PATIENCE, Credential, RemoteUrl
from nightsafe.backend.service import ControlApi, upgraded
from nightsafe.backend.throttle import Line
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
_MAX_RESPONSE = 64 << 20


class RestBackend(ControlApi):
    """Stores objects behind a URL; see `nightsafe.backend.base.Backend`.

    `patience` is how many seconds one request is retried; `cacert` is a file of certificates to
    trust instead of the system's; `line` limits how fast.
    """

    def __init__(
        self,
        url: str,
        credential: Credential | None = None,
        *,
        patience: float = DEFAULT_PATIENCE,
        cacert: str = "",
        line: Line | None = None,
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
        match = _VAULT.fullmatch(parsed.url)
        self._control = f"{match['site']}/api/v1/vaults/{match['vault']}/" if match else ""
        self._client = HttpClient(parsed.url, headers, patience, cacert, line=line)

    def upgraded(self) -> Backend:
        """Return a ServiceBackend if the URL is a vault of the service, else this backend."""
        return upgraded(self) if self._control else self

    def call(self, what: str, fields: Mapping[str, object]) -> dict[str, Any]:
        """Call the service's control API; returns the decoded response.

        ObjectNotFoundError or AccessRefusedError if there is no such API.
        """
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        body = orjson.dumps(fields)
        response = self._client.request(
            "POST",
            self._control + what,
            body=body,
            headers=headers,
            limit=_MAX_RESPONSE,
            is_call=True,
        )
        try:
            found = orjson.loads(response.body)
        except orjson.JSONDecodeError:
            found = None
        if not isinstance(found, dict):
            raise ObjectNotFoundError("The server does not speak the service's control API.")
        return found

    def send_direct(self, url: str, headers: Mapping[str, str], file: BinaryIO) -> bool:
        """Upload a file to a presigned URL; returns whether the store has it.

        It is tried once, without the credential. If it fails, the caller uploads through the
        service.
        """
        try:
            with self._client.request_presigned("PUT", url, headers, file) as response:
                read_body(response, REASON_SIZE)
                return response.status in (200, 201, 204, 412)
        except (*NETWORK_ERRORS, StorageError, SettingsError):
            return False

    def load_direct(
        self, url: str, headers: Mapping[str, str], *, offset: int, length: int | None, limit: int
    ) -> bytes | None:
        """Download from a presigned URL; None if that failed.

        Returns all of it, at most `limit` bytes, or `length` bytes from `offset`.
        """
        if length is not None:
            headers = {**headers, "Range": f"bytes={offset}-{offset + length - 1}"}
        try:
            with self._client.request_presigned("GET", url, headers) as response:
                if response.status != (200 if length is None else 206):
                    return None
                content_length = response.headers.get("Content-Length", "")
                most = limit if length is None else length
                data = self._client.read_body(response, most)
        except (*NETWORK_ERRORS, StorageError, SettingsError):
            return None
        return data if len(data) <= most and str(len(data)) == content_length else None

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
        response = self._client.request("GET", f"{kind.value}/", limit=_MAX_LISTING)
        for entry in parse_listing(response.body):
            match entry:
                case {"name": str(name)} | str(name) if not is_name(kind, name):
                    continue
                case {"name": str(name), "size": int(size)}:
                    yield Listing(name, size)
                case str(name):  # version 1 of the protocol
                    yield Listing(name, self.size(kind, name))
                case _:  # an entry that is not understood may be an object
                    raise StorageError(NO_LISTING)

    def size(self, kind: ObjectKind, name: str) -> int:
        response = self._client.request("HEAD", _path(kind, name))
        length = response.headers.get("Content-Length", "")
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
        response = self._client.request(
            "GET", path, headers=headers, limit=limit, whole_limit=kind.max_size
        )
        if response.status == 206:
            return response.body
        return response.body[offset:] if length is None else response.body[offset : offset + length]

    def save(self, kind: ObjectKind, name: str, data: bytes | memoryview) -> None:
        try:
            self._client.request("POST", _path(kind, name), body=data)
        except AccessRefusedError:
            # Some servers refuse objects that exist already, as after a lost response.
            if kind is ObjectKind.LOCK:
                raise
            stored_size = self._size_or_none(kind, name)
            if stored_size == len(data) and self._has_same_bytes(kind, name, data):
                return
            if kind is ObjectKind.CONFIG and stored_size is not None:
                raise ObjectExistsError(EXISTS) from None
            raise

    def _size_or_none(self, kind: ObjectKind, name: str) -> int | None:
        try:
            return self.size(kind, name)
        except StorageError:
            return None

    def _has_same_bytes(self, kind: ObjectKind, name: str, data: bytes | memoryview) -> bool:
        try:
            return self.load(kind, name) == data
        except StorageError:
            return False

    def remove(self, kind: ObjectKind, name: str) -> None:
        self._client.request("DELETE", _path(kind, name))

    def fresh(self) -> "RestBackend":
        other = copy.copy(self)
        other._client = copy.copy(self._client)  # noqa: SLF001, of the same class
        return other

    def close(self) -> None:
        self._client.close()


def _path(kind: ObjectKind, name: str) -> str:
    check_name(kind, name)
    return name if kind is ObjectKind.CONFIG else f"{kind.value}/{name}"
