"""Tells from which network address a request came."""

from ipaddress import IPv6Address, ip_address

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str | None:
    """Return the address of the client as our own proxies saw it, or None if none is known.

    Each proxy adds the address that it was called from to the end of `X-Forwarded-For`. So the
    entry that the outermost of our proxies added counts from the end, and whatever stands before
    it was written by the client. A request with fewer entries came around the proxies and is known
    by its connection alone.
    """
    proxies: int = settings.ALLAUTH_TRUSTED_PROXY_COUNT
    hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",")]
    if 0 < proxies <= len(hops):
        seen = _plain(hops[-proxies])
        if seen is not None:
            return seen
    return _plain(request.META.get("REMOTE_ADDR", ""))


def _plain(text: str) -> str | None:
    try:
        address = ip_address(text.partition("%")[0])  # a zone is a name of this machine's own
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)
