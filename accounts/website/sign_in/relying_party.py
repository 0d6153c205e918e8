"""Where passkeys belong: to the service's own address, whatever host a request names."""

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from django.conf import settings


@dataclass(frozen=True)
class RelyingParty:
    """A name that browsers bind passkeys to, and the one origin that may use them."""

    id: str
    origin: str


def relying_party() -> RelyingParty:
    """Return the relying party of the service's address.

    Browsers bind passkeys to names and never to numbers, and take "localhost" without encryption.
    So on a service that is reached at a loopback address, as on one's own computer, they work at
    that name and the same port.
    """
    site = urlsplit(settings.SITE_URL)
    host = site.hostname or ""
    try:
        is_here = ip_address(host).is_loopback
    except ValueError:
        is_here = False
    if is_here:
        port = f":{site.port}" if site.port else ""
        return RelyingParty("localhost", f"{site.scheme}://localhost{port}")
    return RelyingParty(host, f"{site.scheme}://{site.netloc}")
