"""Posts to addresses that customers name, without letting them reach into our own network.

A host name is resolved here, once; every address that it has must be public, and the connection
goes to the one that was checked, whatever the name says a moment later. Redirects are not followed,
answers are read up to a bound, and the whole has one deadline.
"""

import ipaddress
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlsplit

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

CONNECT_SECONDS = 5.0
DEADLINE_SECONDS = 15.0
READ_BYTES = 4096
DEFAULT_PORTS = {"https": 443, "http": 80}


class UnreachableError(Exception):
    """Nobody took it. The text says why, in words for the customer."""


class RefusedAddressError(UnreachableError):
    """An address to which nothing is sent at all."""


def check_url(url: str, *, allow_private: bool) -> None:
    """Raise RefusedAddressError unless an address could be posted to, as far as its text says."""
    _parse(url, allow_private=allow_private)


def post(url: str, *, body: bytes, headers: Mapping[str, str], allow_private: bool = False) -> int:
    """Post `body` and return the status of the answer, 200 to 599.

    `allow_private` lets it go to this computer and network, over plain HTTP too. Raises
    UnreachableError, or RefusedAddressError where nothing was tried.
    """
    scheme, host, port, target = _parse(url, allow_private=allow_private)
    address = _resolve(host, port, allow_private=allow_private)
    connection = _connection(scheme, address, host=host, port=port)
    is_late = threading.Event()
    deadline = threading.Timer(DEADLINE_SECONDS, _break_off, [connection, is_late])
    deadline.daemon = True
    deadline.start()
    try:
        name = f"[{host}]" if ":" in host else host
        shown = name if port == DEFAULT_PORTS[scheme] else f"{name}:{port}"
        connection.request("POST", target, body=body, headers={**headers, "Host": shown})
        response = connection.getresponse()
        response.read(READ_BYTES)
        if is_late.is_set():  # what had come until then is taken for the whole
            raise UnreachableError("its answer did not come to an end")
        return response.status
    except (OSError, HTTPError, ValueError) as error:
        raise UnreachableError(f"no answer came ({_reason(error)})") from error
    finally:
        deadline.cancel()
        connection.close()


def _parse(url: str, *, allow_private: bool) -> tuple[str, str, int, str]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise RefusedAddressError("that is not an address") from error
    if parts.scheme not in DEFAULT_PORTS or not host or not _is_plain(url):
        raise RefusedAddressError("an address begins with https:// and names a host")
    if parts.scheme == "http" and not allow_private:
        raise RefusedAddressError("an address begins with https://, so that nobody reads along")
    if parts.username is not None or parts.password is not None:
        raise RefusedAddressError("an address has no password before its host")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return parts.scheme, host, port or DEFAULT_PORTS[parts.scheme], target


def _is_plain(url: str) -> bool:
    return url.isascii() and url.isprintable() and " " not in url


def _resolve(host: str, port: int, *, allow_private: bool) -> str:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UnreachableError(f"there is no host {host}") from error
    addresses = [str(one[4][0]) for one in found]
    if not allow_private and not all(map(is_public, addresses)):
        raise RefusedAddressError(f"{host} is not a public host")
    if not addresses:
        raise UnreachableError(f"there is no host {host}")
    return addresses[0]


def is_public(address: str) -> bool:
    """Return whether an IP address is reachable by everybody, and stands for no other one."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if ip.sixtofour is not None or ip.teredo is not None or ip in _TRANSLATED:
            return False
    return ip.is_global and not ip.is_multicast


_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")  # IPv4 behind a translator (RFC 6052)


def _connection(scheme: str, address: str, *, host: str, port: int) -> HTTPConnection:
    if scheme == "http":
        return HTTPConnection(address, port, timeout=CONNECT_SECONDS)
    return HTTPSConnection(
        address, port, timeout=CONNECT_SECONDS, server_hostname=host, assert_hostname=host
    )


def _break_off(connection: HTTPConnection, is_late: threading.Event) -> None:
    """End a connection that a slow host keeps alive byte by byte."""
    is_late.set()
    with suppress(OSError, AttributeError):
        connection.sock.shutdown(socket.SHUT_RDWR)


def _reason(error: Exception) -> str:
    text = str(error) if isinstance(error, OSError) and error.strerror else type(error).__name__
    return " ".join(text.split())[:120]
