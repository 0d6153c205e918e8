"""Removing many keys of a bucket with one request, and making sure that they are gone.

DeleteObjects is what most stores know, and not all: whoever is told that a store does not knows to
remove key by key. What the answer says is not believed: each key is asked for afterwards.
"""

import logging
from collections.abc import Sequence
from typing import Any

from storage.names import StoreKey
from storage.regions.s3_client import StoreFailure, status_of
from storage.regions.s3_heads import Heads

log = logging.getLogger(__name__)
MOST = 1000  # keys in one request, as S3 allows
UNKNOWN = (405, 501)  # what stores say that do not know the request


class Batches:
    """Removes keys from one region's bucket. Safe between threads."""

    def __init__(self, bucket: str, client: Any, heads: Heads) -> None:
        self._bucket = bucket
        self._client = client
        self._heads = heads
        self._is_known = True

    def delete(self, keys: Sequence[StoreKey]) -> list[bool]:
        """Remove keys, and tell of each, in order, whether it is surely gone. Raises nothing."""
        gone: list[bool] = []
        for start in range(0, len(keys), MOST):
            some = keys[start : start + MOST]
            gone += self._heads.lack(some) if self._send(some) else [False] * len(some)
        return gone

    def _send(self, keys: Sequence[StoreKey]) -> bool:
        """Ask for it; return whether there is anything to look at afterwards."""
        if not self._is_known:
            return False
        wanted = {"Objects": [{"Key": str(key)} for key in keys], "Quiet": True}
        try:
            self._client.delete_objects(Bucket=self._bucket, Delete=wanted)
        except StoreFailure as error:
            log.warning("no keys were removed at once: %s", error)
            self._is_known = status_of(error) not in UNKNOWN
            return False
        return True
