"""`python -m billing.stand_in --settings FILE --data FILE`: runs until it is stopped."""

import argparse
import logging
import os
import signal
import threading
from pathlib import Path

from billing.stand_in.running import running
from billing.stand_in.settings import read


def main() -> None:
    """Run it until a signal comes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="a file as service.env")
    parser.add_argument("--data", type=Path, required=True, help="the SQLite file; made if missing")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    os.umask(0o077)
    settings = read(options.settings)
    options.data.parent.mkdir(parents=True, exist_ok=True)
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    with running(settings, options.data):
        print(f"Payments stand-in: no real money. {settings.address}/", flush=True)  # noqa: T201
        over.wait()


if __name__ == "__main__":
    main()
