"""A stand-in at work: it serves, lets time pass and tells of events, in threads."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from billing.stand_in import webhooks
from billing.stand_in.business import passage
from billing.stand_in.clock import Clock
from billing.stand_in.server import serve
from billing.stand_in.settings import Settings
from billing.stand_in.store import Store
from billing.stand_in.world import World

log = logging.getLogger(__name__)
TICK = 0.25  # seconds


@contextmanager
def running(settings: Settings, data: Path) -> Iterator[None]:
    """Run a stand-in with its SQLite file `data` for the length of a `with` block."""
    world = World(Store(data), Clock(settings.clock_file), settings)
    over = threading.Event()
    server = serve(world)
    threads = [threading.Thread(target=server.serve_forever, args=(TICK,), daemon=True)]
    for step in (passage.catch_up, webhooks.deliver_due):
        threads.append(threading.Thread(target=_repeat, args=(over, step, world)))
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        server.shutdown()
        for thread in threads:
            thread.join()
        server.server_close()
        world.store.close()


def _repeat(over: threading.Event, step: Callable[[World], int], world: World) -> None:
    while not over.wait(TICK):
        try:
            step(world)
        except Exception:
            log.exception("%s failed; it is tried again", step.__name__)
