"""Runs store I/O in threads, while one thread claims the work and records the results."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Generic, Self, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


class ThreadJobs(Generic[Job, Result]):
    """Jobs under way in at most `threads` threads.

    Its threads live for the length of a `with` block, of which there may be several, one after the
    other. It is used by one thread.
    """

    def __init__(self, threads: int, name: str) -> None:
        self._threads, self._name = threads, name
        self._under_way: dict[Future[Result], Job] = {}

    def __enter__(self) -> Self:
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix=self._name)
        return self

    def __exit__(self, *raised: object) -> None:
        self._pool.shutdown()

    def __len__(self) -> int:
        return len(self._under_way)

    def __iter__(self) -> Iterator[Job]:
        return iter(self._under_way.values())

    def submit(self, job: Job, work: Callable[[], Result]) -> None:
        """Have a thread do `work` for `job`."""
        self._under_way[self._pool.submit(work)] = job

    def finished(self, seconds: float | None = None) -> Iterable[tuple[Job, Result]]:
        """Wait until a job has ended, or for so many seconds; yield all that have, with results.

        Raises what the work raised.
        """
        done, _ = wait(self._under_way, seconds, FIRST_COMPLETED)
        for future in done:
            yield self._under_way.pop(future), future.result()
