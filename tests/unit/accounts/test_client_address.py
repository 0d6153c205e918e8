"""The address of a client, behind as many proxies as are ours."""

from typing import Any

import pytest
from django.test import RequestFactory
from pytest_django import Settings

from accounts.client_address import client_address


@pytest.mark.parametrize(
    ("proxies", "forwarded", "connection", "expected"),
    [
        (0, None, "192.0.2.9", "192.0.2.9"),
        (0, "203.0.113.5", "192.0.2.9", "192.0.2.9"),  # nobody's word but the connection's
        (1, "203.0.113.5", "192.0.2.9", "203.0.113.5"),
        (1, "10.0.0.1, 203.0.113.5", "192.0.2.9", "203.0.113.5"),  # the client wrote the first
        (2, "10.0.0.1, 203.0.113.5, 198.51.100.2", "192.0.2.9", "203.0.113.5"),
        (2, "203.0.113.5", "192.0.2.9", "192.0.2.9"),  # came around a proxy
        (1, "no address", "192.0.2.9", "192.0.2.9"),
        (1, None, "192.0.2.9", "192.0.2.9"),
        (1, "2001:db8::7", "192.0.2.9", "2001:db8::7"),
        (0, None, "::ffff:192.0.2.9", "192.0.2.9"),
        (0, None, "fe80::1%eth0", "fe80::1"),
        (0, None, "", None),
    ],
)
def test_the_address(
    settings: Settings, proxies: int, forwarded: str | None, connection: str, expected: str | None
) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = proxies
    headers: dict[str, Any] = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
    request = RequestFactory().get("/", REMOTE_ADDR=connection, **headers)
    assert client_address(request) == expected
