"""Waiting for a condition, which is asked often; who gives up says what did not come."""

import socket
import subprocess
import time
from collections.abc import Callable


def wait_until(
    is_true: Callable[[], object], seconds: float, tell: Callable[[], str] = str
) -> None:
    """Wait for a condition, asking it often; fail with what `tell` returns if it never comes.

    It is what an idle machine needs, with plenty to spare; a busy one gets three times as long.
    """
    deadline = time.monotonic() + 3 * seconds
    while not is_true():
        if time.monotonic() > deadline:
            raise AssertionError(tell() or f"still not so after {3 * seconds:.0f} s")
        time.sleep(0.05)


def wait_for_port(port: int, server: "subprocess.Popen[bytes]") -> None:
    """Wait until a server that was just started listens; fail at once if it has ended."""

    def listens() -> bool:
        assert server.poll() is None, f"the server ended with {server.returncode}"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return False
        return True

    wait_until(listens, 10, lambda: f"nobody listens on port {port}")
