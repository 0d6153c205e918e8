"""How the canary reaches a region: over HTTP as customers do, or by function calls.

Over HTTP it goes through all that a customer's bytes go through: the address, TLS, the proxy, the
gateway's process, the protocol. Only in one thing it differs: it says which region it means, which
nobody else may (`api/region_override.py`).
"""

import base64
import io
import time
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from storage.body import HashedBody
from storage.deletion import tombstones
from storage.downloads import read
from storage.models import Region, Replica, StoredObject, Vault
from storage.object_names import ObjectName
from storage.uploads import ingest
from storage.vaults.access import Access
from storage.vaults.canary_vault import REGION_HEADER

PATIENCE = 30.0  # seconds of silence
SHOWN = 200  # bytes of a refusal
REPEATS = 3  # of a request that is answered with "come again"
LONGEST_WAIT = 5.0  # seconds before each


class LostCanaryError(Exception):
    """What came back is not what was stored, or nothing did."""


class _Answer(NamedTuple):
    """A response, and for how many seconds to wait before the request is repeated."""

    status: int
    content: bytes
    wait: float


class Transport(Protocol):
    """What a canary does in one region. All raise LostCanaryError, or what the functions raise."""

    def store(self, name: ObjectName, content: bytes, region: Region) -> None:
        """Store an object in this region."""

    def fetch(self, name: ObjectName, region: Region) -> bytes:
        """Return an object's bytes as this region has them."""

    def remove(self, name: ObjectName) -> None:
        """Delete an object."""


class DirectTransport:
    """Calls the service's functions, so that only stores and database are tried."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def store(self, name: ObjectName, content: bytes, region: Region) -> None:
        """See Transport."""
        body = HashedBody(io.BytesIO(content), size=len(content), sha256=name.expected_sha256)
        ingest.deposit(self._access, name, body, into=region)

    def fetch(self, name: ObjectName, region: Region) -> bytes:
        """See Transport."""
        return b"".join(read.fetch_from(region, read.find(self._access.vault, name)))

    def remove(self, name: ObjectName) -> None:
        """See Transport."""
        tombstones.remove(self._access, name)


class HttpTransport:
    """Makes requests as customers do, to `address` (the vault's, with its final slash)."""

    def __init__(self, address: str, *, username: str, secret: str) -> None:
        self._address = urlsplit(address)
        pair = base64.b64encode(f"{username}:{secret}".encode()).decode()
        self._headers = {"Authorization": f"Basic {pair}"}

    def store(self, name: ObjectName, content: bytes, region: Region) -> None:
        """See Transport."""
        self._ask("POST", name, content, {REGION_HEADER: region.alias})

    def fetch(self, name: ObjectName, region: Region) -> bytes:
        """See Transport."""
        return self._ask("GET", name, None, {REGION_HEADER: region.alias})

    def remove(self, name: ObjectName) -> None:
        """See Transport."""
        self._ask("DELETE", name, None, {})

    def _ask(
        self, method: str, name: ObjectName, body: bytes | None, headers: dict[str, str]
    ) -> bytes:
        answer = self._ask_once(method, name, body, headers)
        for _ in range(REPEATS):  # as clients do: who is asked to come again is not refused
            if answer.status != HTTPStatus.SERVICE_UNAVAILABLE:
                break
            time.sleep(answer.wait)
            answer = self._ask_once(method, name, body, headers)
        if answer.status != HTTPStatus.OK:
            said = answer.content[:SHOWN].decode(errors="replace").strip()
            raise LostCanaryError(f"the gateway answered {answer.status}: {said}")
        return answer.content

    def _ask_once(
        self, method: str, name: ObjectName, body: bytes | None, headers: dict[str, str]
    ) -> "_Answer":
        try:
            with closing(self._connect()) as connection:
                path = f"{self._address.path}{name}"
                connection.request(method, path, body, self._headers | headers)
                with connection.getresponse() as answer:
                    wait = answer.headers.get("Retry-After", "")
                    seconds = min(float(wait), LONGEST_WAIT) if wait.isdigit() else 1.0
                    return _Answer(answer.status, answer.read(), seconds)
        except (OSError, HTTPException) as error:
            raise LostCanaryError(
                f"the gateway at {self._address.netloc} does not answer as it should: {error!r}"
            ) from error

    def _connect(self) -> HTTPConnection:
        kind = HTTPSConnection if self._address.scheme == "https" else HTTPConnection
        return kind(self._address.netloc, timeout=PATIENCE)


def in_region(vault: Vault, region: Region) -> list[StoredObject]:
    """Return what earlier canaries left in a region, the oldest first."""
    stored = Replica.objects.stored().filter(region=region)
    objects = StoredObject.objects.live().filter(vault=vault, replicas__in=stored)
    return list(objects.order_by("pk"))
