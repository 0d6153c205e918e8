"""Manages HTTP connections: proxies, certificates, connection pools."""

import base64
import io
import os
import ssl
from collections.abc import Mapping
from typing import Any

import urllib3
from urllib3.exceptions import HTTPError, ProxyError, SSLError

from nightsafe.backend.proxies import Proxy, proxy_for
from nightsafe.backend.rest_responses import TransientError
from nightsafe.backend.rest_url import Credential
from nightsafe.backend.throttle import SlowBody, Throttle
from nightsafe.errors import NightsafeError, SettingsError, UnreachableError

_PIECE = 1 << 20
_PERMANENT_TLS = (
    "WRONG_VERSION_NUMBER",
    "HTTP_REQUEST",
    "UNSUPPORTED_PROTOCOL",
    "ALERT",
    "UNKNOWN_CA",
)
"""Parts of OpenSSL's reasons for failures that another attempt does not change."""


class Connections:
    """A pool of open connections, not to be shared by processes.

    `cacert` is a file of certificates to trust instead of the system's; empty for the system's.
    `up` limits how fast bodies are sent.
    """

    def __init__(self, patience: float, cacert: str = "", up: Throttle | None = None) -> None:
        self._up = up
        timeout = urllib3.Timeout(connect=min(20.0, max(patience, 1.0)), read=120.0)
        self._options: dict[str, Any] = {
            "retries": False,
            "timeout": timeout,
            "maxsize": 4,
            "blocksize": _PIECE,
        }
        if cacert:
            self._options["ssl_context"] = _trusting(cacert)
        self._pools: dict[Proxy | None, urllib3.PoolManager] = {}
        self._proxies: dict[str, Proxy | None] = {}

    def send(
        self, method: str, url: str, headers: Mapping[str, str], body: Any
    ) -> urllib3.BaseHTTPResponse:
        """Send a request and return the head of the response, whatever its status."""
        if self._up is not None and body is not None:
            headers, body = slowed(headers, body, self._up)
        proxy = self._proxy(url)
        response = self._pool(proxy).request(
            method, url, headers=headers, body=body, redirect=False, preload_content=False
        )
        if response.status == 407 and proxy is not None:
            response.close()
            raise _refused(proxy, "407")
        return response

    def _proxy(self, url: str) -> Proxy | None:
        """Return the proxy for a URL; it depends on the server alone."""
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
        """Close all connections."""
        for pool in self._pools.values():
            pool.clear()


def slowed(
    headers: Mapping[str, str], body: Any, throttle: Throttle
) -> tuple[Mapping[str, str], SlowBody]:
    """Return headers and body of a request that is sent no faster than a throttle allows."""
    if isinstance(body, bytes | bytearray | memoryview):
        headers = {**headers, "Content-Length": str(len(body))}
        body = io.BytesIO(body)
    return headers, SlowBody(body, throttle)


def basic(credential: Credential) -> str:
    """Return the value of an `Authorization` header; names and secrets are sent as UTF-8."""
    pair = f"{credential.username}:{credential.secret}".encode("utf-8", "surrogateescape")
    return f"Basic {base64.b64encode(pair).decode()}"


def _trusting(cacert: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # As in stock restic, any certificate in the file is trusted, even a server's own one.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(cafile=cacert)
    except OSError as error:  # ssl.SSLError is a subclass
        is_there = isinstance(error, ssl.SSLError)
        reason = "it holds no certificate" if is_there else (error.strerror or "unknown error")
        raise SettingsError(
            f"The file of certificates {cacert} cannot be used: {reason}. It must hold one or more "
            "certificates in PEM form (-----BEGIN CERTIFICATE-----)."
        ) from None
    return context


def explain(error: Exception, server: str) -> NightsafeError | TransientError:
    """Translate an error of `Connections.send`: TransientError if a retry may help.

    The text contains no URL, since one may carry a signature.
    """
    match error:
        case ProxyError():
            return _of_proxy(error)
        case SSLError():
            return _of_tls(error, server)
        case urllib3.exceptions.NameResolutionError():
            return TransientError("the server's name is not known")
        case urllib3.exceptions.NewConnectionError():
            return TransientError("the server refuses the connection or there is no network")
        case urllib3.exceptions.ConnectTimeoutError() | urllib3.exceptions.ReadTimeoutError():
            return TransientError("the server does not answer")
        case _:
            return TransientError("the connection broke off")


def _of_proxy(error: ProxyError) -> NightsafeError | TransientError:
    cause = error.original_error
    text = str(cause)
    if isinstance(cause, SSLError):
        return _of_tls(cause, "the proxy")
    if "Tunnel connection failed: " not in text:
        return TransientError("the proxy does not answer")
    status = text.partition("Tunnel connection failed: ")[2][:3]
    if status in ("407", "403"):
        return _refused(None, status)
    return TransientError(f"the proxy could not reach the server (it answers {status})")


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


def _of_tls(error: SSLError, server: str) -> NightsafeError | TransientError:
    cause = error.args[0] if error.args else None
    if isinstance(cause, ssl.SSLCertVerificationError):
        reason = cause.verify_message.rstrip(".")
        return UnreachableError(
            f"The certificate of {server} is not valid here ({reason}), so nothing was sent. Check "
            "the address and this computer's clock. If the server's certificate comes from an "
            "authority of your own, name its file with --cacert or NIGHTSAFE_CACERT."
        )
    reason = getattr(cause, "reason", None) or ""
    if any(word in reason for word in _PERMANENT_TLS):
        return UnreachableError(
            f"{server} does not speak TLS as is wanted ({reason.lower().replace('_', ' ')}), so "
            "nothing was sent. Check the address: is it http://, or another port?"
        )
    detail = f" ({reason.lower().replace('_', ' ')})" if reason else ""
    return TransientError(f"the TLS connection broke off{detail}")


NETWORK_ERRORS = (HTTPError, OSError)
"""Errors that `send` and reading a response may raise besides our own."""
