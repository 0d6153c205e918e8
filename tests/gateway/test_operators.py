"""An operator's long work beside customers who write all the time."""

import os
import threading

from tests.gateway.test_bodies import sha
from tests.support.gateway import Gateway, Holder

COUNT = 250  # more rows than are read at a time


def put(holder: Holder) -> None:
    content = os.urandom(100)
    assert holder.request("POST", f"data/{sha(content)}", content)[0] == 200


def test_a_scrub_of_everything_goes_on_while_customers_write(
    gateway: Gateway, holder: Holder
) -> None:
    for _ in range(COUNT):
        put(holder)
    stop, written = threading.Event(), []

    def write() -> None:
        while not stop.is_set():
            put(holder)
            written.append(1)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        found = gateway.manage("scrub", "--all")
    finally:
        stop.set()
        thread.join()
    assert found["checked"] >= COUNT
    assert (found["damaged"], found["unreachable"]) == (0, 0)
    assert written
