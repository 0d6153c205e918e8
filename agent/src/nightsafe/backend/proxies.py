"""Chooses the proxy for a URL from the environment variables that curl and Go read.

`HTTPS_PROXY`, `HTTP_PROXY` and, for both, `ALL_PROXY` name proxies; `NO_PROXY` lists exceptions.
Lower-case spellings work too. This computer itself is never reached through a proxy. A SOCKS proxy
in `ALL_PROXY` is ignored, as by stock restic; elsewhere it is an error.
"""

import ipaddress
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from nightsafe.backend.rest_url import Credential
from nightsafe.errors import SettingsError

_PORTS = {"http": "80", "https": "443"}


class Proxy(NamedTuple):
    """A proxy's URL and, separately, its credential."""

    url: str
    credential: Credential | None = None


def proxy_for(url: str, environ: Mapping[str, str]) -> Proxy | None:
    """Return the proxy for a URL, or None. SettingsError if its kind is not supported."""
    parts = urlsplit(url)
    name = f"{parts.scheme}_proxy"
    # CGI programs get a client's `Proxy:` header under this name (httpoxy).
    is_forged = name == "http_proxy" and "REQUEST_METHOD" in environ
    variable = "" if is_forged else _set(name, environ) or _set("all_proxy", environ)
    if not variable or not parts.hostname:
        return None
    port = str(parts.port or _PORTS[parts.scheme])
    if is_direct(parts.hostname, port, environ.get("NO_PROXY") or environ.get("no_proxy") or ""):
        return None
    text = environ[variable].strip()
    if text.lower().startswith("socks") and variable.lower() == "all_proxy":
        return None
    return _parse(text, variable)


def _set(name: str, environ: Mapping[str, str]) -> str:
    """Return the spelling of a variable that has a value, or an empty string."""
    return next((one for one in (name.upper(), name) if environ.get(one)), "")


def _parse(text: str, variable: str) -> Proxy:
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme.startswith("socks"):
        raise SettingsError(
            f"{variable} names a SOCKS proxy, and only http:// and https:// proxies are known "
            "here. Set another one, or name the server in NO_PROXY."
        )
    if parts.scheme not in _PORTS or not parts.hostname:
        raise SettingsError(
            f"{variable} is no proxy's address; write it like http://user:password@host:3128."
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    credential = None
    if parts.username:
        credential = Credential(_plain(parts.username), _plain(parts.password or ""))
    return Proxy(f"{parts.scheme}://{host}:{port}", credential)


def _plain(text: str) -> str:
    return unquote(text, errors="surrogateescape")


def is_direct(host: str, port: str, no_proxy: str) -> bool:
    """Whether a host is reached without a proxy, by NO_PROXY or because it is local."""
    host = host.lower()
    address = _address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    entries = (entry.strip().lower() for entry in no_proxy.split(","))
    return any(_fits(entry, host, port, address) for entry in entries if entry)


def _fits(entry: str, host: str, port: str, address: "_Address | None") -> bool:
    if entry == "*":
        return True
    if "/" in entry:
        return address is not None and _is_in(address, entry)
    wanted, wanted_port = _split_port(entry)
    if wanted_port not in ("", port) or not wanted:
        return False
    named = _address(wanted)
    if named is not None:
        return named == address
    wanted = wanted.removeprefix("*")
    return host.endswith(f".{wanted.removeprefix('.')}") or host == wanted


_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _address(text: str) -> _Address | None:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address):
        return found.ipv4_mapped or found
    return found


def _is_in(address: _Address, network: str) -> bool:
    try:
        return address in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _split_port(entry: str) -> tuple[str, str]:
    """Split `host`, `host:port` or `[IPv6]:port`; a bare IPv6 address has no port."""
    if entry.startswith("["):
        host, _, rest = entry[1:].partition("]")
        return host, rest.removeprefix(":")
    host, colon, port = entry.rpartition(":")
    return (host, port) if colon and ":" not in host else (entry, "")
