"""The library's client, as this service uses it: pinned version, retries, bounded time."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, cast
from urllib.parse import urlsplit

import requests
import stripe
from django.conf import settings

from billing.stripe.errors import NotConfiguredError, RefusedError, UnavailableError

log = logging.getLogger(__name__)
API_VERSION = "2026-10-28.endive"
RETRIES = 2
CONNECT_SECONDS, READ_SECONDS = 4.0, 15.0
A_PAGE = 100
_LOOPBACK = ("127.0.0.1", "localhost", "::1")

Object = dict[str, Any]
"""What Stripe answers, as a plain dictionary: its own objects have no `get`."""


def is_configured() -> bool:
    """Return whether this service takes payments."""
    return bool(settings.STRIPE_API_KEY)


def client() -> stripe.StripeClient:
    """Return the client. Raises NotConfiguredError."""
    if not is_configured():
        raise NotConfiguredError
    return _client(settings.STRIPE_API_KEY, settings.STRIPE_API_BASE)


@contextmanager
def speaking() -> Iterator[stripe.StripeClient]:
    """Yield the client for a `with` block; errors of Stripe's that leave it become ours.

    Raises NotConfiguredError, UnavailableError, and RefusedError for what a second try does not
    mend.
    """
    try:
        yield client()
    except stripe.StripeError as error:
        # Never the error's own text: it may hold addresses and parameters.
        log.warning(
            "Stripe failed: %s, %s, status %s, request %s",
            type(error).__name__,
            error.code,
            error.http_status,
            error.request_id,
        )
        if isinstance(error, stripe.CardError | stripe.InvalidRequestError):
            raise RefusedError from error
        raise UnavailableError from error


def plain(found: Any) -> Object:
    """Return an answer of Stripe's as a plain dictionary."""
    return cast(Object, found.to_dict(for_json=True))


def everything(page: Any) -> list[Object]:
    """Return all objects of a list, page by page, as plain dictionaries."""
    return [plain(one) for one in page.auto_paging_iter()]


def is_missing(error: stripe.InvalidRequestError) -> bool:
    """Return whether an object that was named is not there."""
    return error.code == "resource_missing"


@lru_cache(maxsize=4)
def _client(api_key: str, api_base: str) -> stripe.StripeClient:
    session = requests.Session()
    # The stand-in is on this computer, whatever proxies the environment names.
    session.trust_env = urlsplit(api_base).hostname not in _LOOPBACK
    stripe.enable_telemetry = False
    return stripe.StripeClient(
        api_key,
        stripe_version=API_VERSION,
        base_addresses={"api": api_base},
        max_network_retries=RETRIES,
        http_client=stripe.RequestsClient(timeout=(CONNECT_SECONDS, READ_SECONDS), session=session),
    )
