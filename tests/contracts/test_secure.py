"""A real store behind TLS, as everybody's is: the quick ways reach it, and trust as they should."""

import contextlib
import datetime
import hashlib
import io
import ipaddress
import os
import selectors
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from backup_service.embedded.stores import Store
from storage.body import HashedBody
from storage.object_names import ObjectName, ObjectType, StoreKey
from storage.stores.base import Expected, NoDirectTransfersError, RegionUnavailableError
from storage.stores.configuration import S3Region
from storage.stores.s3.connection import Connections
from storage.stores.s3.signing import Signer
from storage.stores.s3.store import S3Store
from tests.contracts.conftest import new_bucket
from tests.support.stores import seaweedfs

INSTANCE = "instance"
CONTENT = os.urandom(700_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def key(attempt: int) -> StoreKey:
    return StoreKey("abcdefghij234567abcd", ObjectName(ObjectType.DATA, SHA256), f"{attempt:032x}")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 with its key, which only who is told trusts."""
    secret = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nightsafe test")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(secret, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + secret.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@contextlib.contextmanager
def tls_before(target: int, certificate: Path) -> Iterator[tuple[int, list[int]]]:
    """A relay that speaks TLS outside; yields its port, and counts the connections it took."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    taken: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    plain, _ = server.accept()
                except OSError:
                    return
                taken.append(plain.fileno())
                threading.Thread(target=relay, args=(plain,), daemon=True).start()

        def relay(plain: socket.socket) -> None:
            with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
                outer = stack.enter_context(context.wrap_socket(plain, server_side=True))
                inner = stack.enter_context(socket.create_connection(("127.0.0.1", target)))
                _pass_on(outer, inner)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1], taken
        server.shutdown(socket.SHUT_RDWR)


def _pass_on(outer: ssl.SSLSocket, inner: socket.socket) -> None:
    with selectors.DefaultSelector() as waiting:
        waiting.register(outer, selectors.EVENT_READ, inner)
        waiting.register(inner, selectors.EVENT_READ, outer)
        while True:
            for event, _ in waiting.select():
                source, sink = event.fileobj, event.data
                piece = source.recv(65536)  # type: ignore[union-attr]
                if not piece:
                    return
                sink.sendall(piece)
                while source is outer and outer.pending():
                    sink.sendall(outer.recv(65536))


@pytest.fixture
def relay(seaweed: Store, certificate: Path) -> Iterator[tuple[S3Region, list[int]]]:
    """A region whose endpoint is the relay's, with a bucket that is there."""
    region = seaweedfs.region(seaweed, new_bucket())
    S3Store(region).prepare(INSTANCE)
    with tls_before(seaweed.port, certificate) as (port, taken):
        yield replace(region, endpoint=f"https://127.0.0.1:{port}"), taken


def put(store: S3Store, attempt: int) -> None:
    size = len(CONTENT)
    store.put(key(attempt), HashedBody(io.BytesIO(CONTENT), size=size, sha256=SHA256), size)


def test_everything_goes_by_the_quick_ways(
    relay: tuple[S3Region, list[int]], certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    region, taken = relay
    store = S3Store(region, INSTANCE)
    store.check()

    def general(**_: object) -> None:
        pytest.fail("the general client was asked")

    for name in ("put_object", "head_object", "get_object"):
        for client in (store.general.once, store.general.again):
            monkeypatch.setattr(client, name, general)
    before = len(taken)
    for attempt in range(4):
        put(store, attempt)
        store.confirm(key(attempt), size=len(CONTENT), sha256=SHA256)
        with store.open(key(attempt)) as reader:
            assert b"".join(reader.chunks()) == CONTENT
        with store.open(key(attempt), 1000, 5) as reader:
            assert b"".join(reader.chunks()) == CONTENT[1000:1005]
    assert len(taken) - before <= 3, "connections were kept"


def test_nothing_goes_by_the_quick_ways_when_they_are_ruled_out(
    seaweed: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    region = replace(seaweedfs.region(seaweed, new_bucket()), general_only=True, direct=False)
    S3Store(region).prepare(INSTANCE)
    store = S3Store(region, INSTANCE)

    def quick(*_: object) -> None:
        pytest.fail("a quick client was asked")

    monkeypatch.setattr(Connections, "connect", quick)
    monkeypatch.setattr(Signer, "url", quick)
    put(store, 1)
    put(store, 2)
    assert store.surely_has([Expected(key(1), len(CONTENT), SHA256)]) == [False]
    store.confirm(key(1), size=len(CONTENT), sha256=SHA256)
    with store.open(key(1), 1000, 5) as reader:
        assert b"".join(reader.chunks()) == CONTENT[1000:1005]
    assert store.delete_many([key(1), key(2)]) == [key(1), key(2)]
    assert not store.direct_transfers
    with pytest.raises(NoDirectTransfersError):
        store.presign_get(key(1), seconds=60)


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(
    relay: tuple[S3Region, list[int]], certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by the quick ways either, while the general client has its own reasons to trust."""
    region, _ = relay
    with pytest.raises(RegionUnavailableError):
        put(S3Store(region, INSTANCE), 1)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    store, asked = S3Store(region, INSTANCE), []
    real = store.general.once.put_object

    def general(**given: object) -> object:
        asked.append(given["Key"])
        return real(**given)

    monkeypatch.setattr(store.general.once, "put_object", general)
    put(store, 1)
    assert asked == [str(key(1))]
