"""Draining a region with a fault at every call of a store and at every write to the database.

In each round customers' objects are moved out of a region while one call fails, an upload comes
in the middle of it, and afterwards everything that was acknowledged must be there, whole, and
with two replicas; then the region must still become empty.
"""

import hashlib
import itertools
import os
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, OperationalError, connection
from pytest_django import Settings

from accounts.audit import SERVICE
from backup_service import clock
from storage.deletion import sweep
from storage.integrity import scrub
from storage.models import Region, Replica, StoredObject
from storage.objects import placement
from storage.regions import drain, lifecycle
from storage.replication import backfill
from storage.replication.replicator import replicate_due
from storage.stores.base import RegionError, RegionStore, RegionUnavailableError
from storage.stores.memory import MemoryStore
from storage.stores.registry import store_of
from tests.support.storage.regions import begin, region, work
from tests.unit.storage.conftest import Caller, some

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)

Fault = Callable[[int], AbstractContextManager[list[int]]]
STORE_CALLS = ("put", "open", "delete")


@pytest.fixture
def regions(
    settings: Settings, tmp_path: Path, db: None, monkeypatch: pytest.MonkeyPatch
) -> list[Region]:
    """Three regions in memory, so that hundreds of rounds take seconds."""
    stores: dict[str, MemoryStore] = {}

    def make(alias: str, location: str, instance: str) -> RegionStore:
        return stores.setdefault(alias, MemoryStore(alias))

    monkeypatch.setattr("storage.stores.registry.make_store", make)
    return begin(settings, tmp_path, "abc")


@contextmanager
def failing_store_call(number: int, *, after: bool = False) -> Iterator[list[int]]:
    """Let the Nth call of any store fail, before or after it has done its work."""
    calls = [0]
    with pytest.MonkeyPatch.context() as patch:
        for name in STORE_CALLS:
            real = getattr(MemoryStore, name)

            def call(
                self: MemoryStore,
                *arguments: Any,
                real: Callable[..., Any] = real,
                **more: Any,
            ) -> Any:
                calls[0] += 1
                is_it = calls[0] == number
                if is_it and not after:
                    raise RegionUnavailableError("a fault")
                answer = real(self, *arguments, **more)
                if is_it:
                    raise RegionUnavailableError("a fault, after the work was done")
                return answer

            patch.setattr(MemoryStore, name, call)
        yield calls


@contextmanager
def failing_write(number: int) -> Iterator[list[int]]:
    """Let the Nth statement that writes to the database fail."""
    writes = [0]

    def wrapper(
        execute: Callable[..., Any], sql: str, parameters: Any, many: bool, context: dict[str, Any]
    ) -> Any:
        if sql.startswith(("INSERT", "UPDATE", "DELETE")):
            writes[0] += 1
            if writes[0] == number:
                raise OperationalError("a fault")
        return execute(sql, parameters, many, context)

    with connection.execute_wrapper(wrapper):
        yield writes


def steps() -> list[Callable[[], object]]:
    """Everything that the workers do about a region that is being emptied."""
    soon = clock.now() + timedelta(days=1)
    return [
        drain.drain_due,
        backfill.backfill_due,
        replicate_due,
        lambda: scrub.scrub_due(byte_budget=1 << 30),
        drain.drain_due,
        lambda: sweep.sweep(doomed_before=soon),
    ]


def whole_copies(obj: StoredObject) -> int:
    """Count the replicas whose bytes are there and right, by looking into the stores."""
    whole = 0
    for replica in Replica.objects.filter(object=obj).readable().select_related("region"):
        assert replica.attempt is not None
        with store_of(replica.region).open(replica.attempt.key) as reader:
            whole += hashlib.sha256(b"".join(reader.chunks())).hexdigest() == obj.sha256
    return whole


def one_round(backup: Caller, fault: AbstractContextManager[list[int]]) -> int:
    """Move two objects out of region b under a fault; return how many calls there were."""
    placement.failed.clear()
    lifecycle.online(region("b"), SERVICE)
    contents = [some(100) for _ in range(2)]
    for content in contents:
        assert backup.put(content).status_code == 200
    work()
    lifecycle.drain(region("b"), SERVICE)
    late = some(100)
    with fault as count:
        for step in [*steps(), lambda: backup.put(late), *steps()]:
            with suppress(RegionError, DatabaseError):
                answer = step()
                if getattr(answer, "status_code", 0) == 200:
                    contents.append(late)
    for content in contents:
        obj = backup.stored_object(content)
        assert obj.state == "live"
        assert whole_copies(obj) >= (1 if content is late else 2)
        assert backup.fetch(f"data/{obj.name}") == content
    for hours in range(1, 6):
        with clock.travelled(timedelta(hours=7 * hours)):
            for step in steps():
                step()
    assert drain.left_in(region("b")).is_empty
    assert list(store_of(region("b")).list_keys()) == []
    assert all(whole_copies(backup.stored_object(content)) == 2 for content in contents)
    return count[0]


def every(backup: Caller, fault: Fault, chance: random.Random) -> int:
    """Repeat the round with a fault at the first, second, … call; return how many there were.

    At every fourth from a drawn one on; `python -m tests.soak.orders` takes every one.
    """
    step = 1 if os.environ.get("NIGHTSAFE_EVERY_ORDER") else 4
    for number in itertools.count(chance.randint(1, step), step):
        if (calls := one_round(backup, fault(number))) < number:
            return calls
    raise AssertionError


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_no_store_call_may_lose_anything(
    backup: Caller, after: bool, chance: random.Random
) -> None:
    assert every(backup, partial(failing_store_call, after=after), chance) > 10


def test_no_write_may_lose_anything(backup: Caller, chance: random.Random) -> None:
    assert every(backup, failing_write, chance) > 30
