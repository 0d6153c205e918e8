"""What we are measured against: `rclone copy`, and plain GETs that look at nothing."""

import http.client
import multiprocessing
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from bench.replication.stores import Stores

PIECE = 1 << 20
THREADS = 6


def rclone_copy(stores: Stores, *, transfers: int) -> None:
    """Copy everything from store a to a bucket of its own in store b."""
    command = ["rclone", "copy", "a:vault", "b:rclone", f"--transfers={transfers}"]
    command += [f"--checkers={transfers}", "--log-level=ERROR"]
    subprocess.run(command, env=stores.rclone_environment, check=True)


def plain_read(stores: Stores, workers: int, first: Callable[[], object] = lambda: None) -> float:
    """GET everything in region b, many at once, and drop it; return the seconds it took.

    `first` is called when all are ready to begin.
    """
    from storage.models import Replica
    from storage.stores.registry import store_of

    urls = []
    copies = Replica.objects.filter(region__alias="b", state="stored")
    for copy in copies.select_related("region", "attempt__vault"):
        assert copy.attempt is not None
        urls.append(store_of(copy.region).presign_get(copy.attempt.key, seconds=3600).url)
    context = multiprocessing.get_context("spawn")
    ready, go = context.Barrier(workers + 1), context.Barrier(workers + 1)
    readers = [
        context.Process(target=_read_all, args=(urls[number::workers], ready, go))
        for number in range(workers)
    ]
    for reader in readers:
        reader.start()
    ready.wait()
    first()
    begun = time.monotonic()
    go.wait()
    for reader in readers:
        reader.join()
    return time.monotonic() - begun


def _read_all(urls: Sequence[str], ready: object, go: object) -> None:
    ready.wait()  # type: ignore[attr-defined]
    go.wait()  # type: ignore[attr-defined]
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(_read, urls))


def _read(url: str) -> None:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    connection.request("GET", f"{parts.path}?{parts.query}")
    piece = memoryview(bytearray(PIECE))
    with connection.getresponse() as answer:
        while answer.readinto(piece):
            pass
    connection.close()
