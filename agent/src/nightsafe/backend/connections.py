"""Makes HTTP connections: proxies, certificates, pools."""

import base64
import os
import ssl
from collections.abc import Mapping
from typing import Any

import urllib3
from urllib3.exceptions import HTTPError, ProxyError, SSLError

from nightsafe.backend.proxies import Proxy, proxy_for
from nightsafe.backend.rest_responses import PassingError
from nightsafe.backend.rest_url import Credential
from nightsafe.errors import NightsafeError, SettingsError, UnreachableError

_PIECE = 1 << 20
_HOPELESS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNSUPPORTED_PROTOCOL", "ALERT", "UNKNOWN_CA")
"""In OpenSSL's reasons why trying again is of no use."""


class Connections:
    """Open connections, kept for the next request. Not for several processes.

    `cacert` is a file of certificates that are believed instead of the system's, empty for those.
    """

    def __init__(self, patience: float, cacert: str = "") -> None:
        timeout = urllib3.Timeout(connect=min(20.0, max(patience, 1.0)), read=120.0)
        self._options: dict[str, Any] = {
            "retries": False,
            "timeout": timeout,
            "maxsize": 4,
            "blocksize": _PIECE,
        }
        if cacert:
            self._options["ssl_context"] = _believing(cacert)
        self._pools: dict[Proxy | None, urllib3.PoolManager] = {}
        self._proxies: dict[str, Proxy | None] = {}

    def send(
        self, method: str, url: str, headers: Mapping[str, str], body: Any
    ) -> urllib3.BaseHTTPResponse:
        """The head of an answer, whatever it is; `explained` tells of what is raised else."""
        proxy = self._proxy(url)
        response = self._pool(proxy).request(
            method, url, headers=headers, body=body, redirect=False, preload_content=False
        )
        if response.status == 407 and proxy is not None:
            response.close()
            raise _refused(proxy, "407")
        return response

    def _proxy(self, url: str) -> Proxy | None:
        """Which proxy to take; the same for all paths of a server."""
        server = "/".join(url.split("/", 3)[:3])
        if server not in self._proxies:
            self._proxies[server] = proxy_for(server, os.environ)
        return self._proxies[server]

    def _pool(self, proxy: Proxy | None) -> urllib3.PoolManager:
        pool = self._pools.get(proxy)
        if pool is None:
            pool = self._pools[proxy] = self._new_pool(proxy)
        return pool

    def _new_pool(self, proxy: Proxy | None) -> urllib3.PoolManager:
        if proxy is None:
            return urllib3.PoolManager(**self._options)
        headers = {}
        if proxy.credential is not None:
            headers["Proxy-Authorization"] = basic(proxy.credential)
        context = self._options.get("ssl_context")
        return urllib3.ProxyManager(
            proxy.url, proxy_headers=headers, proxy_ssl_context=context, **self._options
        )

    def close(self) -> None:
        """Give all connections back."""
        for pool in self._pools.values():
            pool.clear()


def basic(credential: Credential) -> str:
    """The value of an `Authorization` header; names and secrets are sent as UTF-8."""
    pair = f"{credential.username}:{credential.secret}".encode("utf-8", "surrogateescape")
    return f"Basic {base64.b64encode(pair).decode()}"


def _believing(cacert: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # As in stock restic: any certificate of the file is believed, a server's own one as well.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(cafile=cacert)
    except OSError as error:  # which ssl.SSLError is
        is_there = isinstance(error, ssl.SSLError)
        reason = "it holds no certificate" if is_there else (error.strerror or "unknown error")
        raise SettingsError(
            f"The file of certificates {cacert} cannot be used: {reason}. It must hold one or more "
            "certificates in PEM form (-----BEGIN CERTIFICATE-----)."
        ) from None
    return context


def explained(error: Exception, place: str) -> NightsafeError | PassingError:
    """What went wrong on the way to a place: PassingError if it is worth another try.

    Without URLs of requests, for there may be signatures in them.
    """
    match error:
        case ProxyError():
            return _of_proxy(error)
        case SSLError():
            return _of_tls(error, place)
        case urllib3.exceptions.NameResolutionError():
            return PassingError("the server's name is not known")
        case urllib3.exceptions.NewConnectionError():
            return PassingError("the server refuses the connection or there is no network")
        case urllib3.exceptions.ConnectTimeoutError() | urllib3.exceptions.ReadTimeoutError():
            return PassingError("the server does not answer")
        case _:
            return PassingError("the connection broke off")


def _of_proxy(error: ProxyError) -> NightsafeError | PassingError:
    cause = error.original_error
    text = str(cause)
    if isinstance(cause, SSLError):
        return _of_tls(cause, "the proxy")
    if "Tunnel connection failed: " not in text:
        return PassingError("the proxy does not answer")
    status = text.partition("Tunnel connection failed: ")[2][:3]
    if status in ("407", "403"):
        return _refused(None, status)
    return PassingError(f"the proxy could not reach the server (it answers {status})")


def _refused(proxy: Proxy | None, status: str) -> UnreachableError:
    which = f"The proxy {proxy.url}" if proxy is not None else "The proxy"
    if status == "407":
        return UnreachableError(
            f"{which} wants a user name and password, or others (407), so nothing was sent. Write "
            "them into HTTPS_PROXY or HTTP_PROXY: http://user:password@host:port."
        )
    return UnreachableError(
        f"{which} does not let this connection through ({status}), so nothing was sent. Ask who "
        "runs it, or name the server in NO_PROXY if it can be reached without."
    )


def _of_tls(error: SSLError, place: str) -> NightsafeError | PassingError:
    cause = error.args[0] if error.args else None
    if isinstance(cause, ssl.SSLCertVerificationError):
        reason = cause.verify_message.rstrip(".")
        return UnreachableError(
            f"The certificate of {place} is not valid here ({reason}), so nothing was sent. Check "
            "the address and this computer's clock. If the server's certificate comes from an "
            "authority of your own, name its file with --cacert or NIGHTSAFE_CACERT."
        )
    reason = getattr(cause, "reason", None) or ""
    if any(word in reason for word in _HOPELESS):
        return UnreachableError(
            f"{place} does not speak TLS as is wanted ({reason.lower().replace('_', ' ')}), so "
            "nothing was sent. Check the address: is it http://, or another port?"
        )
    said = f" ({reason.lower().replace('_', ' ')})" if reason else ""
    return PassingError(f"the TLS connection broke off{said}")


TROUBLES = (HTTPError, OSError)
"""What `send`, and reading an answer, may raise besides our own errors."""
