"""Ways to a server: proxies, authorities of one's own, names and secrets beyond ASCII."""

import base64
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from nightsafe.backend.base import ObjectKind
from nightsafe.backend.connections import basic
from nightsafe.backend.proxies import Proxy, is_direct, proxy_for
from nightsafe.backend.rest import RestBackend
from nightsafe.backend.rest_url import Credential, RemoteUrl
from nightsafe.errors import SettingsError, UnreachableError
from nightsafe.repository.repository import Repository

from backup_service.embedded.ports import any_port
from tests.support.agent.certificates import Authority
from tests.support.agent.rest_server import SECRET, USER, RestServer
from tests.unit.agent.conftest import PASSPHRASE, copy_vault

CREDENTIAL = Credential(USER, SECRET)
HOST = "vault.example"
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUEST_METHOD")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


# Which proxy


@pytest.mark.parametrize(
    ("url", "environ", "proxy"),
    [
        ("http://h/", {}, None),
        ("http://h/", {"HTTP_PROXY": "http://p:1"}, "http://p:1"),
        ("http://h/", {"http_proxy": "p:1"}, "http://p:1"),
        ("http://h/", {"HTTP_PROXY": "http://p:1", "http_proxy": "http://q:2"}, "http://p:1"),
        ("http://h/", {"HTTPS_PROXY": "http://p:1"}, None),
        ("https://h/", {"HTTPS_PROXY": "https://p"}, "https://p:443"),
        ("https://h/", {"HTTPS_PROXY": "p"}, "http://p:80"),
        ("https://h/", {"HTTPS_PROXY": "http://[::2]:3"}, "http://[::2]:3"),
        ("https://h/", {"HTTP_PROXY": "http://p:1"}, None),
        ("https://h/", {"ALL_PROXY": "http://p:1"}, "http://p:1"),
        ("https://h/", {"all_proxy": "http://p:1", "HTTPS_PROXY": "http://q:2"}, "http://q:2"),
        ("https://h/", {"ALL_PROXY": "socks5://p:1"}, None),
        ("https://h/", {"HTTPS_PROXY": "  "}, SettingsError),
        ("https://h/", {"HTTPS_PROXY": "socks5h://p:1"}, SettingsError),
        ("https://h/", {"HTTPS_PROXY": "ftp://p:1"}, SettingsError),
        ("https://h/", {"HTTPS_PROXY": "http://p:port"}, SettingsError),
        ("https://h/", {"HTTPS_PROXY": "http://"}, SettingsError),
        ("http://h/", {"HTTP_PROXY": "http://p:1", "REQUEST_METHOD": "GET"}, None),
        ("https://h/", {"HTTPS_PROXY": "http://p:1", "REQUEST_METHOD": "GET"}, "http://p:1"),
        ("http://localhost:8000/", {"HTTP_PROXY": "http://p:1"}, None),
        ("http://127.1.2.3/", {"HTTP_PROXY": "http://p:1"}, None),
        ("http://[::1]:80/", {"HTTP_PROXY": "http://p:1"}, None),
        ("https://h/", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "h"}, None),
        ("https://h/", {"HTTPS_PROXY": "http://p:1", "no_proxy": "*"}, None),
    ],
)
def test_the_variables(
    url: str, environ: dict[str, str], proxy: str | type[Exception] | None
) -> None:
    if isinstance(proxy, type):
        with pytest.raises(proxy):
            proxy_for(url, environ)
    else:
        found = proxy_for(url, environ)
        assert found == (None if proxy is None else Proxy(proxy))


def test_a_proxys_credential() -> None:
    found = proxy_for("https://h/", {"HTTPS_PROXY": "http://us%3Aer:p%40ss%C3%A4@p:1"})
    assert found == Proxy("http://p:1", Credential("us:er", "p@ssä"))


@pytest.mark.parametrize(
    ("no_proxy", "host", "port", "direct"),
    [
        ("foo.com", "foo.com", "443", True),
        ("foo.com", "bar.foo.com", "443", True),
        ("foo.com", "barfoo.com", "443", False),
        (".foo.com", "bar.foo.com", "443", True),
        (".foo.com", "foo.com", "443", False),
        ("*.foo.com", "bar.foo.com", "443", True),
        ("*.foo.com", "foo.com", "443", False),
        ("FOO.com", "foo.COM", "443", True),
        ("other, foo.com ,", "foo.com", "443", True),
        ("foo.com:80", "foo.com", "443", False),
        ("foo.com:443", "foo.com", "443", True),
        ("10.0.0.0/8", "10.20.30.40", "443", True),
        ("10.0.0.0/8", "11.20.30.40", "443", False),
        ("10.0.0.0/8", "ten.example", "443", False),
        ("10.0.0.1", "10.0.0.1", "443", True),
        ("10.0.0.1:80", "10.0.0.1", "443", False),
        ("fd00::/8", "fd12::1", "443", True),
        ("fd12::1", "fd12::1", "443", True),
        ("[fd12::1]:443", "fd12::1", "443", True),
        ("10.0.0.0/99,:80,", "10.0.0.1", "443", False),
        ("*", "anything", "80", True),
        ("", "foo.com", "443", False),
    ],
)
def test_who_is_asked_without_one(no_proxy: str, host: str, port: str, direct: bool) -> None:
    assert is_direct(host, port, no_proxy) is direct


# Through a real one


@contextmanager
def proxy(*arguments: str) -> Iterator[tuple[str, list[str]]]:
    """A proxy's address without scheme, and the requests that it has had."""
    command = [sys.executable, "-m", "tests.support.agent.proxy_process", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        seen: list[str] = []
        lines = process.stdout
        reader = threading.Thread(target=lambda: seen.extend(iter(lines.readline, "")))
        reader.start()
        try:
            yield f"127.0.0.1:{port}", seen
        finally:
            process.terminate()
            reader.join()


@contextmanager
def secure(certificate: Path) -> Iterator[RestServer]:
    """The REST server, behind TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = RestServer()
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def at(server: RestServer, scheme: str = "http", host: str = HOST) -> str:
    return f"{scheme}://{host}:{server.server_address[1]}/restic/vault-1/"


def remote(url: str, *, cacert: str = "", patience: float = 1) -> RestBackend:
    return RestBackend(url, CREDENTIAL, patience=patience, cacert=cacert)


def test_http_through_a_proxy(server: RestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with proxy("me:p@ss") as (address, seen):
        monkeypatch.setenv("HTTP_PROXY", f"http://me:p%40ss@{address}")
        storage = remote(at(server))
        storage.save(ObjectKind.LOCK, "ab" * 32, b"bytes")
        assert storage.load(ObjectKind.LOCK, "ab" * 32) == b"bytes"
        assert [name for name, _ in storage.list(ObjectKind.LOCK)] == ["ab" * 32]
        storage.close()
    assert len(seen) == 3
    assert all(HOST in line for line in seen)
    assert not any("Proxy-Authorization" in headers for headers in server.headers_seen)


def test_https_through_a_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    with secure(authority.certificate(HOST)) as server, proxy("me:secret") as (address, seen):
        monkeypatch.setenv("https_proxy", f"http://me:secret@{address}")
        storage = remote(at(server, "https"), cacert=str(authority.path))
        storage.save(ObjectKind.LOCK, "ab" * 32, b"bytes")
        assert storage.load(ObjectKind.LOCK, "ab" * 32) == b"bytes"
        with pytest.raises(UnreachableError, match=r"certificate .*--cacert"):
            remote(at(server, "https"), patience=900).size(ObjectKind.LOCK, "ab" * 32)
        storage.close()
    assert {line.split()[0] for line in seen} == {"CONNECT"}


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_refuses_is_said_at_once(
    server: RestServer, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    with proxy("me:secret") as (address, _):
        for pair, host, text in (
            ("", HOST, "407"),
            ("me:wrong@", HOST, "407"),
            ("me:secret@", "forbidden.example", "403"),
        ):
            monkeypatch.setenv(f"{scheme}_proxy", f"http://{pair}{address}")
            if (scheme, text) == ("http", "403"):
                continue  # which nobody can tell from the server's own
            with pytest.raises(UnreachableError, match=text) as caught:
                remote(at(server, scheme, host), patience=900).size(ObjectKind.LOCK, "ab" * 32)
            assert "wrong" not in str(caught.value)


def test_a_proxy_that_is_not_there_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    for scheme in ("http", "https"):
        monkeypatch.setenv(f"{scheme}_proxy", f"http://me:secret@127.0.0.1:{any_port()}")
        with pytest.raises(UnreachableError, match=r"within 0.*the proxy does not answer"):
            remote(f"{scheme}://{HOST}/v/", patience=0).size(ObjectKind.LOCK, "ab" * 32)


def test_who_needs_no_proxy_is_asked_without(
    server: RestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{any_port()}")
    storage = remote(server.url)
    assert list(storage.list(ObjectKind.LOCK)) == []
    storage.close()


def test_a_proxy_of_no_known_kind_is_an_error_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:1080")
    with pytest.raises(SettingsError, match="SOCKS"):
        remote(f"https://{HOST}/v/", patience=900).size(ObjectKind.LOCK, "ab" * 32)


def test_commands_go_through_a_proxy(
    vault: Repository, server: RestServer, source: Path, tmp_path: Path
) -> None:
    direct = remote(server.url)
    copy_vault(vault, direct)
    direct.close()
    agent = Path(sys.executable).with_name("nightsafe")
    with proxy("me:secret") as (address, seen):
        environment = {
            **os.environ,
            "HTTP_PROXY": f"http://me:secret@{address}",
            "NIGHTSAFE_REPOSITORY": at(server),
            "NIGHTSAFE_USERNAME": USER,
            "NIGHTSAFE_SECRET": SECRET,
            "NIGHTSAFE_PASSWORD": PASSPHRASE,
        }
        for arguments in (
            ["backup", str(source)],
            ["restore", "latest", "--target", str(tmp_path)],
        ):
            done = subprocess.run(
                [agent, *arguments],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
    assert (Path(f"{tmp_path}{source}") / "one.txt").read_text() == "one\n"
    assert len(seen) == len(server.requests) - 3  # those before it


# Whose certificates


def test_an_authority_of_ones_own(tmp_path: Path) -> None:
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")
    server_file = authority.certificate("127.0.0.1")
    both = tmp_path / "both.pem"
    both.write_text(other.path.read_text() + authority.path.read_text())
    with secure(server_file) as server:
        url = at(server, "https", "127.0.0.1")
        for believed in (authority.path, both, server_file):
            storage = remote(url, cacert=str(believed))
            assert list(storage.list(ObjectKind.LOCK)) == []
            assert list(storage.fresh().list(ObjectKind.LOCK)) == []
            storage.close()
        for cacert in ("", str(other.path)):
            with pytest.raises(UnreachableError, match=r"unable to get local issuer.*--cacert"):
                remote(url, cacert=cacert, patience=900).size(ObjectKind.LOCK, "ab" * 32)


@pytest.mark.parametrize(
    ("host", "days", "reason"),
    [("other.example", 1, "(?i)mismatch"), ("127.0.0.1", -2, "has expired")],
)
def test_a_certificate_that_does_not_fit_is_said(
    tmp_path: Path, host: str, days: int, reason: str
) -> None:
    authority = Authority(tmp_path)
    with secure(authority.certificate(host, days=days)) as server:
        storage = remote(at(server, "https", "127.0.0.1"), cacert=str(authority.path), patience=900)
        with pytest.raises(UnreachableError, match=reason):
            storage.size(ObjectKind.LOCK, "ab" * 32)


def test_a_server_without_tls_is_said(server: RestServer) -> None:
    with pytest.raises(UnreachableError, match=r"does not speak TLS.*wrong version number"):
        remote(at(server, "https", "127.0.0.1"), patience=900).size(ObjectKind.LOCK, "ab" * 32)


def test_files_that_hold_no_certificates(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for name, reason in (("empty", "holds no certificate"), ("missing", "No such file")):
        with pytest.raises(SettingsError, match=reason):
            remote("https://h/v/", cacert=str(tmp_path / name))


def test_the_option_and_the_variable(tmp_path: Path, vault: Repository) -> None:
    authority = Authority(tmp_path)
    agent = Path(sys.executable).with_name("nightsafe")
    with secure(authority.certificate("127.0.0.1")) as server:
        url = at(server, "https", "127.0.0.1")
        copy_vault(vault, remote(url, cacert=str(authority.path)))
        environment = {
            **os.environ,
            "NIGHTSAFE_USERNAME": USER,
            "NIGHTSAFE_SECRET": SECRET,
            "NIGHTSAFE_PASSWORD": PASSPHRASE,
        }
        command = [str(agent), "-r", url, "snapshots"]
        for extra, variables in (
            (["--cacert", str(authority.path)], {}),
            ([], {"NIGHTSAFE_CACERT": str(authority.path)}),
        ):
            done = subprocess.run(
                [*command, *extra],
                env=environment | variables,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "--cacert" in done.stderr


# Who asks


@pytest.mark.parametrize("username", ["device", "gerät", "デバイス", "\udce4"])
def test_names_and_secrets_are_sent_as_utf8(username: str) -> None:
    secret = "s\u00e9cret:\u2603"
    kind, _, text = basic(Credential(username, secret)).partition(" ")
    sent = base64.b64decode(text)
    assert (kind, sent) == ("Basic", f"{username}:{secret}".encode("utf-8", "surrogateescape"))


def test_names_beyond_ascii_in_addresses() -> None:
    parsed = RemoteUrl.parse("https://ger%C3%A4t:s%E4@host/v/")
    assert parsed.credential == Credential("gerät", "s\udce4")
