"""Deletes many keys of a bucket with one request, and makes sure that they are gone.

DeleteObjects is what most stores know, and not all: whoever is told that a store does not knows to
remove key by key. What the answer says is not believed: each key is asked for afterwards.
"""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from storage.object_names import StoreKey
from storage.stores.s3.client import StoreFailure, status_of
from storage.stores.s3.head import HeadClient

log = logging.getLogger(__name__)
MOST = 1000  # keys in one request, as S3 allows
LEAST = 100  # for which a request of their own pays
AT_ONCE = 4  # requests: stores go through the keys of one, one by one
UNKNOWN = (405, 501)  # what stores say that do not know the request


class BatchDeleter:
    """Removes keys from one region's bucket. Safe between threads."""

    def __init__(self, bucket: str, client: Any, heads: HeadClient) -> None:
        self._bucket = bucket
        self._client = client
        self._heads = heads
        self._is_known = True

    def delete(self, keys: Sequence[StoreKey]) -> list[bool]:
        """Remove keys; return of each, in order, whether it is surely gone. Raises nothing."""
        size = min(MOST, max(LEAST, -(-len(keys) // AT_ONCE)))
        shares = [keys[start : start + size] for start in range(0, len(keys), size)]
        if len(shares) < 2:
            return [one for share in shares for one in self._delete(share)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return [one for answer in pool.map(self._delete, shares) for one in answer]

    def _delete(self, keys: Sequence[StoreKey]) -> list[bool]:
        return self._heads.lack(keys) if self._send(keys) else [False] * len(keys)

    def _send(self, keys: Sequence[StoreKey]) -> bool:
        """Send the request; return whether its result is to be checked."""
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
