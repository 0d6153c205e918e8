"""Ports on 127.0.0.1: the site's is wished for, the others keep theirs from run to run."""

import contextlib
import socket
from collections.abc import Iterable

from backup_service.embedded.errors import PortTakenError

HOST = "127.0.0.1"


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
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


def site_port(wish: str) -> int:
    """Return the website's port; "0" asks for any.

    Raises PortTakenError if it is taken, or no port number.
    """
    if not wish.isdecimal() or int(wish) > 65535:
        raise PortTakenError(f"PORT={wish} is no port number. Choose one from 1024 to 65535.")
    if int(wish) == 0:
        return any_port(avoid=())
    if not is_free(int(wish)):
        raise PortTakenError(
            f"Port {wish} is taken by another program, or not allowed to this user. "
            f"Choose another one: make run PORT={(int(wish) + 80) % 65536}."
        )
    return int(wish)


def prefer(wishes: Iterable[int], *, avoid: Iterable[int]) -> int:
    """Return the first of the wished ports that is free and not to be avoided, or any other."""
    taken = set(avoid)
    for port in wishes:
        if port not in taken and is_free(port):
            return port
    return any_port(avoid=taken)


def any_port(*, avoid: Iterable[int]) -> int:
    """Return some free port."""
    taken = set(avoid)
    with contextlib.ExitStack() as probes:
        while True:
            probe = probes.enter_context(socket.socket())
            probe.bind((HOST, 0))
            port: int = probe.getsockname()[1]
            if port not in taken:
                return port
