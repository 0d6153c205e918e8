"""Chooses ports on 127.0.0.1: the site's as requested, the others' as in the run before.

Free ones are chosen below the range from which the system takes ports for outgoing connections.
Inside of it some client's connection may sit on a port while its server is started again, and then
nobody can listen there until it is gone. A chosen port is held for the process that chose it until
that ends, so that no two that choose at the same time get the same one.
"""

import secrets
import socket
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from backup_service.embedded.errors import PortTakenError

HOST = "127.0.0.1"
NAME = "localhost"  # what browsers call it: they make passkeys for names, never for numbers
FIRST = 10_000  # below it are the ports of programs that everybody knows
OUTGOING = (32_768, 60_999)  # where the system does not say it: Linux's own default
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_held: dict[int, int] = {}  # by port, descriptors that stay open for the life of the process


def is_free(port: int) -> bool:
    """Return whether a server could listen there now."""
    if not 0 < port < 65536:
        return False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def site_port(wish: str, *, before: int | None = None) -> int:
    """Return the website's port; "0" asks for any, best the one of the run `before`.

    Raises PortTakenError if it is taken, or no port number.
    """
    if not wish.isdecimal() or int(wish) > 65535:
        raise PortTakenError(f"PORT={wish} is no port number. Choose one from 1024 to 65535.")
    if int(wish) == 0:
        return prefer([before or 0], avoid=())
    if not is_free(int(wish)):
        raise PortTakenError(
            f"Port {wish} is taken by another program, or not allowed to this user. "
            f"Choose another one: make run PORT={(int(wish) + 80) % 65536}."
        )
    return int(wish)


def prefer(wishes: Iterable[int], *, avoid: Iterable[int]) -> int:
    """Return the first of the preferred ports that is free and not to be avoided, or any other."""
    taken = set(avoid)
    for port in wishes:
        if port not in taken and take(port):
            return port
    return any_port(avoid=taken)


def any_port(*, avoid: Iterable[int] = ()) -> int:
    """Return some free port, and hold it for this process. Raises PortTakenError without one."""
    taken, candidates = {*avoid, *_held}, outside(outgoing())
    start = secrets.randbelow(len(candidates))
    for port in [*candidates[start:], *candidates[:start]]:
        if port not in taken and take(port):
            return port
    raise PortTakenError("No ports are free on this computer. Stop some other programs.")


def outgoing() -> tuple[int, int]:
    """Return the first and the last port that the system takes for outgoing connections."""
    try:
        first, last = _RANGE.read_text().split()
        return int(first), int(last)
    except (OSError, ValueError):
        return OUTGOING


def outside(taken: tuple[int, int]) -> Sequence[int]:
    """Return the ports to choose from: below a range, or above, or all if it leaves too few."""
    below, above = range(FIRST, min(taken[0], 65_536)), range(max(taken[1] + 1, FIRST), 65_536)
    best = max(below, above, key=len)
    return below if len(below) >= 1000 else best if len(best) >= 1000 else range(FIRST, 65_536)


def take(port: int) -> bool:
    """Hold a port for this process; return whether it is free, and nobody else holds it."""
    return is_free(port) and (port in _held or sys.platform != "linux" or _mark(port))


def _mark(port: int) -> bool:
    # A name, and not a file: it is gone with the process, however that ends.
    mark = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        mark.bind(f"\0nightsafe-port-{port}")
    except OSError:
        mark.close()
        return False
    _held[port] = mark.detach()
    return True
