"""`python -m billing.stand_in --settings FILE --data FILE`: runs until it is stopped."""

import argparse
import logging
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

from billing.stand_in import webhooks
from billing.stand_in.business import passage
from billing.stand_in.clock import Clock
from billing.stand_in.server import serve
from billing.stand_in.settings import read
from billing.stand_in.store import Store
from billing.stand_in.world import World

log = logging.getLogger(__name__)
TICK = 0.25  # seconds


def main() -> None:
    """Serve, let time pass, and tell of events, in threads of one process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="a file as service.env")
    parser.add_argument("--data", type=Path, required=True, help="the SQLite file; made if missing")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    os.umask(0o077)
    settings = read(options.settings)
    options.data.parent.mkdir(parents=True, exist_ok=True)
    world = World(Store(options.data), Clock(settings.clock_file), settings)
    server = serve(world)
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    threads = [threading.Thread(target=server.serve_forever, args=(TICK,), daemon=True)]
    for step in (passage.catch_up, webhooks.deliver_due):
        threads.append(threading.Thread(target=_repeat, args=(over, step, world)))
    for thread in threads:
        thread.start()
    print(f"Payments stand-in: no real money. {settings.address}/", flush=True)  # noqa: T201
    over.wait()
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


if __name__ == "__main__":
    main()
