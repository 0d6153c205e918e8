"""Presigns requests (AWS Signature Version 4 in the query), in a few microseconds each.

The general library takes a millisecond for one, and a batch has hundreds. Source: AWS's
description of "Authenticating Requests: Using Query Parameters"; botocore is the oracle in tests.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from storage.object_names import StoreKey
from storage.stores.configuration import S3Region

ALGORITHM = "AWS4-HMAC-SHA256"


class Signer:
    """Signs requests for one region's bucket as clients reach it at `endpoint`."""

    def __init__(self, region: S3Region, endpoint: str) -> None:
        address = urlsplit(endpoint)
        is_virtual = region.addressing == "virtual"
        host = f"{region.bucket}.{address.netloc}" if is_virtual else address.netloc
        self._host = host
        self.base = f"{address.scheme}://{host}"
        self._lead = "/" if is_virtual else f"/{region.bucket}/"
        self._region = region

    def url(
        self, method: str, key: StoreKey, headers: Mapping[str, str], *, seconds: int, at: datetime
    ) -> str:
        """Return the address of a request that carries `headers`, valid for `seconds` from `at`.

        `at` is in UTC.
        """
        stamp = f"{at:%Y%m%dT%H%M%SZ}"
        day, region = stamp[:8], self._region.signing_region
        scope = f"{day}/{region}/s3/aws4_request"
        signed = {name.lower(): value for name, value in headers.items()} | {"host": self._host}
        names = _names(tuple(signed))
        who = _credential(self._region.access_key, scope)
        query = (
            f"X-Amz-Algorithm={ALGORITHM}&X-Amz-Credential={who}"
            f"&X-Amz-Date={stamp}&X-Amz-Expires={seconds}&X-Amz-SignedHeaders={names.quoted}"
        )
        path = self._lead + str(key)
        lines = [method, path, query, *[f"{name}:{signed[name]}" for name in names.ordered]]
        lines += ["", names.joined, "UNSIGNED-PAYLOAD"]
        request = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        text = f"{ALGORITHM}\n{stamp}\n{scope}\n{request}"
        secret = _key(self._region.secret_key, day, region)
        signature = hmac.digest(secret, text.encode(), "sha256").hex()
        return f"{self.base}{path}?{query}&X-Amz-Signature={signature}"


class _Names(NamedTuple):
    """Names of signed headers, as a request states them."""

    ordered: tuple[str, ...]
    joined: str
    quoted: str


@lru_cache(maxsize=16)
def _names(names: tuple[str, ...]) -> _Names:
    """Return names of headers in their order, worked out once for each kind of request."""
    ordered = tuple(sorted(names))
    joined = ";".join(ordered)
    return _Names(ordered, joined, quote(joined, safe="-_.~"))


@lru_cache(maxsize=64)
def _credential(access_key: str, scope: str) -> str:
    """Return what a request says of who signed it, the same for a day."""
    return quote(f"{access_key}/{scope}", safe="-_.~")


@lru_cache(maxsize=16)
def _key(secret: str, day: str, region: str) -> bytes:
    """Return the key of a day."""
    found = f"AWS4{secret}".encode()
    for part in (day, region, "s3", "aws4_request"):
        found = hmac.new(found, part.encode(), hashlib.sha256).digest()
    return found
