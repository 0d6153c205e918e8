"""The pool itself: who gets which job, and how it ends when somebody fails or dies."""

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from nightsafe.errors import DamagedError, WorkerError
from nightsafe.workers import process
from nightsafe.workers.channel import PLAIN_VALUES
from nightsafe.workers.pool import WorkerPool


class Doubling:
    """Doubles numbers; other jobs are names of ways to fail."""

    def __init__(self, folder: Path) -> None:
        self._mark = folder / f"open-{os.getpid()}"
        self._mark.write_text("")

    def fetch(self, job: int | str) -> bytes:
        if job == "fail to fetch":
            raise DamagedError("not to be had")
        return str(job).encode()

    def run(self, job: int | str, fetched: bytes) -> str:
        match job:
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "fail":
                raise ZeroDivisionError("reason")
            case "file trouble":
                raise OSError(5, "Input/output error")
            case "sleep":
                time.sleep(60)
            case "who":
                return str(os.getpid())
        return (fetched * 2).decode()

    def orphaned(self) -> None:
        """The job under way is finished."""

    def close(self) -> None:
        self._mark.unlink()


def not_today(folder: Path) -> Doubling:
    raise DamagedError(f"no start in {folder.name}")


Pool = WorkerPool[int | str, str]
MakePool = Callable[..., contextlib.AbstractContextManager[Pool]]


@pytest.fixture(params=["as here", "spawn"])
def pool_of(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> MakePool:
    """A function that makes a pool, which is closed at the end and leaves no process."""
    if request.param == "spawn":
        monkeypatch.setattr(process, "START_METHOD", "spawn")

    @contextlib.contextmanager
    def make(start: Callable[[], Doubling], count: int = 2) -> Iterator[Pool]:
        pool: Pool = WorkerPool(start, count, consequence="All is well.", codec=PLAIN_VALUES)
        try:
            yield pool
        finally:
            pool.close()
            assert multiprocessing.active_children() == []

    return make


def all_results(pool: Pool) -> list[tuple[int | str, str]]:
    done: list[tuple[int | str, str]] = []
    while pool.open_jobs:
        done += pool.results(wait=True)
    return done


def work_off(pool: Pool, job: int | str) -> None:
    pool.submit(job)
    all_results(pool)


def test_every_job_has_its_own_result(pool_of: MakePool, tmp_path: Path) -> None:
    with pool_of(partial(Doubling, tmp_path), 3) as pool:
        for number in range(200):
            pool.submit(number)
        done = all_results(pool)
        assert sorted(done) == [(number, f"{number}{number}") for number in range(200)]
        assert pool.results(wait=True) == []
    assert list(tmp_path.iterdir()) == [], "every worker has closed its work"


def test_each_is_asked(pool_of: MakePool, tmp_path: Path) -> None:
    with pool_of(partial(Doubling, tmp_path), 3) as pool:
        assert len({*pool.ask_each("who")}) == 3
        assert pool.open_jobs == 0


def test_a_few_jobs_are_spread_over_all(pool_of: MakePool, tmp_path: Path) -> None:
    with pool_of(partial(Doubling, tmp_path), 3) as pool:
        for _ in range(3):
            pool.submit("who")
        assert pool.has_room()
        assert len({pid for _, pid in all_results(pool)}) == 3
        for _ in range(6):
            pool.submit("sleep")
        assert not pool.has_room()
    assert list(tmp_path.iterdir()) == [], "whoever is ended in the middle has closed its work too"


def test_who_is_ended_just_when_its_job_begins_closes_its_work(tmp_path: Path) -> None:
    for _ in range(30):
        pool: Pool = WorkerPool(partial(Doubling, tmp_path), 4, codec=PLAIN_VALUES)
        assert len([*pool.ask_each("who")]) == 4
        for _ in range(8):
            pool.submit("sleep")
        pool.close()
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("job", "error", "text"),
    [
        ("die", WorkerError, "ended unexpectedly .* status is -9.* All is well. Run the same"),
        ("fail", WorkerError, r"failed \(ZeroDivisionError: reason\)\. All is well\. Run the same"),
        ("file trouble", WorkerError, "Input/output error"),
        ("fail to fetch", DamagedError, "^not to be had$"),
    ],
)
def test_a_failure_is_the_pools(
    pool_of: MakePool, tmp_path: Path, job: str, error: type[Exception], text: str
) -> None:
    with pool_of(partial(Doubling, tmp_path)) as pool:
        assert len([*pool.ask_each("who")]) == 2, "both have begun"
        pool.submit(job)
        pool.submit("sleep")
        with pytest.raises(error, match=text):
            all_results(pool)
    left = len(list(tmp_path.iterdir()))
    assert left == (1 if job == "die" else 0), "only who was killed has left something"


def test_a_worker_that_cannot_begin(pool_of: MakePool, tmp_path: Path) -> None:
    with (
        pool_of(partial(not_today, tmp_path)) as pool,
        pytest.raises(DamagedError, match="no start"),
    ):
        work_off(pool, 1)


def test_a_worker_that_died_while_nobody_asked(pool_of: MakePool, tmp_path: Path) -> None:
    with pool_of(partial(Doubling, tmp_path), 1) as pool:
        (pid,) = pool.ask_each("who")
        os.kill(int(pid), signal.SIGKILL)
        time.sleep(0.2)
        with pytest.raises(WorkerError, match="ended unexpectedly"):
            work_off(pool, 1)
