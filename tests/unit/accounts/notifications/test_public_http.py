"""Customers' addresses never lead into our own network, and never hold us up."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from accounts.notifications import public_http
from tests.unit.accounts.notifications.conftest import Host


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::",
    ],
)
def test_what_is_not_public(address: str) -> None:
    assert not public_http.is_public(address)


@pytest.mark.parametrize("address", ["9.9.9.9", "2620:fe::fe", "::ffff:9.9.9.9"])
def test_what_is(address: str) -> None:
    assert public_http.is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org",
        "ftp://example.org/",
        "http://example.org/",
        "https://",
        "https:///path",
        "https://user:secret@example.org/",
        "https://example.org:99999/",
        "https://exa mple.org/",
        "https://example.org/\r\nHost: x",
        "https://[::1/",
        "https://ex\u00e4mple.org/",
        "javascript:alert(1)",
    ],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(public_http.RefusedAddressError):
        public_http.check_url(url, allow_private=False)


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]"])
def test_our_own_network_is_refused(name: str) -> None:
    with pytest.raises(public_http.RefusedAddressError, match="not a public host"):
        public_http.post(f"https://{name}/", body=b"", headers={})


def test_where_it_may_it_goes_there(host: Host) -> None:
    status = public_http.post(host.url, body=b"hello", headers={"X-A": "b"}, allow_private=True)
    assert status == 200
    ((headers, body),) = host.taken
    assert (headers["x-a"], body) == ("b", b"hello")
    assert headers["host"] == host.url.split("/")[2]


def test_nobody_there() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/"
        with pytest.raises(public_http.UnreachableError, match="no answer"):
            public_http.post(url, body=b"", headers={}, allow_private=True)


@pytest.fixture
def dripping() -> Iterator[str]:
    """A host that answers a byte at a time, for ever."""
    is_over = threading.Event()

    def serve(listener: socket.socket) -> None:
        taken, _ = listener.accept()
        with taken:
            taken.recv(65536)
            taken.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            while not is_over.wait(0.05):
                try:
                    taken.sendall(b"x")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=[listener])
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        is_over.set()
        thread.join()


def test_a_host_that_never_ends_is_broken_off(
    dripping: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(public_http, "DEADLINE_SECONDS", 0.3)
    begun = time.monotonic()
    with pytest.raises(public_http.UnreachableError):
        public_http.post(dripping, body=b"", headers={}, allow_private=True)
    assert time.monotonic() - begun < 60  # or it would have been for ever
