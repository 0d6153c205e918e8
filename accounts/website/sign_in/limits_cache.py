"""The cache in which attempts to sign in are counted: the broker's store, or else the database.

allauth counts with `add` as a lock around `get` and `set`. In Valkey or Redis `add` has exactly one
winner, so a limit holds however many try at once. While the store is away the database's cache
takes over for a short time: sign-in goes on, and is still limited, each limit anew.
"""

import json
import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

import redis
from django.core.cache import caches
from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.core.cache.backends.redis import RedisCache
from redis.backoff import NoBackoff
from redis.retry import Retry

log = logging.getLogger(__name__)
Answer = TypeVar("Answer")
AWAY = 5.0  # seconds for which a store that failed is not asked again
PATIENCE = 1.0  # seconds for connecting, and for an answer


class JsonSerializer:
    """Values as JSON: unlike a pickle, what somebody else may have written there runs nothing."""

    def dumps(self, value: Any) -> bytes:
        """Return a value as bytes."""
        return json.dumps(value).encode("ascii")

    def loads(self, data: bytes) -> Any:
        """Return the value of such bytes."""
        return json.loads(data)


class LimitsCache(BaseCache):
    """A cache in Valkey or Redis; `OPTIONS["fallback"]` names the one to use while that is away."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self._fallback: str = params["OPTIONS"]["fallback"]
        options = {
            "serializer": JsonSerializer,
            "socket_connect_timeout": PATIENCE,
            "socket_timeout": PATIENCE,
            "retry": Retry(NoBackoff(), 0),
        }
        self._store = _Store(server, {**params, "OPTIONS": options})
        self._away_until = 0.0

    def add(
        self, key: Any, value: Any, timeout: float | None = DEFAULT_TIMEOUT, version: Any = None
    ) -> bool:
        """Store a value where there is none; return whether there was none."""
        return bool(self._ask(lambda cache: cache.add(key, value, timeout, version)))

    def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
        """Return a value, or the default."""
        return self._ask(lambda cache: cache.get(key, default, version))

    def set(
        self, key: Any, value: Any, timeout: float | None = DEFAULT_TIMEOUT, version: Any = None
    ) -> None:
        """Store a value."""
        self._ask(lambda cache: cache.set(key, value, timeout, version))

    def touch(self, key: Any, timeout: float | None = DEFAULT_TIMEOUT, version: Any = None) -> bool:
        """Let a value live longer; return whether it was there."""
        return bool(self._ask(lambda cache: cache.touch(key, timeout, version)))

    def delete(self, key: Any, version: Any = None) -> bool:
        """Forget a value; return whether it was there."""
        return bool(self._ask(lambda cache: cache.delete(key, version)))

    def incr(self, key: Any, delta: int = 1, version: Any = None) -> int:
        """Add to a number and return it. Raises ValueError where there is none."""
        return int(self._ask(lambda cache: cache.incr(key, delta, version)))

    def clear(self) -> None:
        """Forget what this cache holds, and nothing else of what lies in the same store."""
        caches[self._fallback].clear()
        self._ask(lambda cache: cache.clear())

    def close(self, **kwargs: Any) -> None:
        """Give back what a request used."""
        self._store.close(**kwargs)

    def _ask(self, question: Callable[[BaseCache], Answer]) -> Answer:
        if time.monotonic() >= self._away_until:
            try:
                return question(self._store)
            except redis.RedisError as error:
                self._away_until = time.monotonic() + AWAY
                log.warning("limits are counted in the database: %s", type(error).__name__)
        return question(caches[self._fallback])


class _Store(RedisCache):
    """Django's cache in Redis, which would empty the whole store, Celery's queues included."""

    def clear(self) -> bool:  # type: ignore[override]  # as Django's own has it
        """Forget what was stored under this cache's prefix."""
        client = self._cache.get_client(None, write=True)
        for name in client.scan_iter(match=self.make_key("*"), count=500):
            client.delete(name)
        return True
