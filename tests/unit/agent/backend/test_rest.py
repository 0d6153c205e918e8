"""What a server and the network may do to us: each answer, each broken connection."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from nightsafe.backend.base import ObjectKind
from nightsafe.backend.rest import RestBackend
from nightsafe.backend.rest_url import Credential, RemoteUrl
from nightsafe.errors import (
    AccessRefusedError,
    ObjectExistsError,
    ObjectNotFoundError,
    QuotaError,
    SettingsError,
    StaleIndexError,
    StorageError,
    TooLargeError,
    UnreachableError,
)

from backup_service.embedded.ports import any_port
from tests.support.agent.rest_server import SECRET, USER, RestServer, running_server

NAME = "ab" * 32
CREDENTIAL = Credential(USER, SECRET)


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Do not really wait between attempts, but keep count of the time that would pass."""
    slept: list[float] = []
    clock = time.monotonic
    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr(time, "monotonic", lambda: clock() + sum(slept))
    return slept


@pytest.fixture
def remote(server: RestServer) -> Iterator[RestBackend]:
    made = RestBackend(server.url, CREDENTIAL, patience=30)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, AccessRefusedError),
        (403, AccessRefusedError),
        (404, ObjectNotFoundError),
        (409, StaleIndexError),
        (410, ObjectNotFoundError),
        (413, TooLargeError),
        (507, QuotaError),
        (400, StorageError),
        (418, StorageError),
    ],
)
def test_permanent_answers_are_told_with_the_servers_reason_and_not_repeated(
    remote: RestBackend, server: RestServer, status: int, error: type[StorageError]
) -> None:
    server.fail(method="POST", path=NAME, status=status, text="Because\x1b[31m I\nsay so.", times=9)
    with pytest.raises(error) as caught:
        remote.save(ObjectKind.SNAPSHOT, NAME, b"x")
    assert "The server says: Because [31m I say so." in str(caught.value)
    assert server.requests.count(("POST", f"snapshots/{NAME}")) == 1


@pytest.mark.parametrize(
    ("status", "what_to_do"), [(403, "NIGHTSAFE_SECRET"), (507, "nightsafe forget --prune")]
)
def test_who_is_refused_hears_what_to_do(
    remote: RestBackend, server: RestServer, status: int, what_to_do: str
) -> None:
    server.fail(method="POST", status=status)
    with pytest.raises(StorageError, match=what_to_do):
        remote.save(ObjectKind.DATA, NAME, b"x")


def test_a_config_that_exists_is_its_own_error(remote: RestBackend, server: RestServer) -> None:
    server.fail(status=409, text="There is one.")
    with pytest.raises(ObjectExistsError):
        remote.save(ObjectKind.CONFIG, "config", b"x")


def test_reasons_are_short_and_never_markup(remote: RestBackend, server: RestServer) -> None:
    server.fail(status=403, text="x" * 100_000)
    with pytest.raises(AccessRefusedError) as caught:
        remote.load(ObjectKind.DATA, NAME)
    assert len(str(caught.value)) < 600
    server.fail(status=403, text="<html>", headers={"Content-Type": "text/html"})
    with pytest.raises(AccessRefusedError) as caught:
        remote.load(ObjectKind.DATA, NAME)
    assert "html" not in str(caught.value)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_passing_troubles_are_waited_out(
    remote: RestBackend, server: RestServer, status: int
) -> None:
    server.fail(method="POST", status=status, times=3)
    remote.save(ObjectKind.DATA, NAME, b"bytes")
    assert server.objects == {f"data/{NAME}": b"bytes"}


@pytest.mark.parametrize("after", [False, True])
def test_a_dropped_connection_is_tried_again(
    remote: RestBackend, server: RestServer, after: bool
) -> None:
    """`after`: the object was stored, only the answer was lost; the same POST is repeated."""
    server.fail(method="POST", drop=True, after=after, times=2)
    remote.save(ObjectKind.DATA, NAME, b"bytes")
    assert server.objects == {f"data/{NAME}": b"bytes"}


def test_a_server_that_refuses_what_it_has_is_understood(
    remote: RestBackend, server: RestServer
) -> None:
    server.refuse_existing = True
    server.fail(method="POST", drop=True, after=True)
    remote.save(ObjectKind.DATA, NAME, b"bytes")
    with pytest.raises(AccessRefusedError):
        remote.save(ObjectKind.DATA, NAME, b"other")


def test_a_removal_whose_answer_was_lost_is_a_success(
    remote: RestBackend, server: RestServer
) -> None:
    server.objects[f"locks/{NAME}"] = b"x"
    server.fail(method="DELETE", drop=True, after=True)
    remote.remove(ObjectKind.LOCK, NAME)
    assert server.objects == {}


def test_a_body_that_breaks_off_is_asked_for_again(remote: RestBackend, server: RestServer) -> None:
    server.objects[f"data/{NAME}"] = bytes(100_000)
    server.fail(method="GET", cut=1)
    assert remote.load(ObjectKind.DATA, NAME) == bytes(100_000)
    server.fail(method="GET", cut=50_000)
    assert remote.load(ObjectKind.DATA, NAME, offset=10, length=90_000) == bytes(90_000)


def test_a_server_cannot_send_more_than_was_asked_for(
    remote: RestBackend, server: RestServer
) -> None:
    server.objects[f"data/{NAME}"] = bytes(100)
    server.fail(method="GET", change=lambda body: body + bytes(5000))
    with pytest.raises(StorageError, match="more than was asked"):
        remote.load(ObjectKind.DATA, NAME, offset=0, length=10)


def test_a_server_that_ignores_ranges_is_understood(
    remote: RestBackend, server: RestServer
) -> None:
    server.objects[f"data/{NAME}"] = bytes(range(100))
    ignoring(server)
    assert remote.load(ObjectKind.DATA, NAME, offset=5, length=3) == bytes([5, 6, 7])
    assert remote.load(ObjectKind.DATA, NAME, offset=98) == bytes([98, 99])


def ignoring(server: RestServer) -> None:
    handler = server.RequestHandlerClass

    class Ignoring(handler):  # type: ignore[misc, valid-type]
        def _answer(self, path: str, body: bytes) -> tuple[int, bytes, dict[str, str]]:
            return 200, self.server.objects[path], {}

    server.RequestHandlerClass = Ignoring


@pytest.mark.parametrize("wish", ["7", "9999"])
def test_the_servers_wish_to_wait_is_honoured_within_the_patience(
    server: RestServer, pauses: list[float], wish: str
) -> None:
    remote = RestBackend(server.url, CREDENTIAL, patience=20)
    server.fail(status=503, text="Busy.", headers={"Retry-After": wish})
    if wish == "7":
        assert list(remote.list(ObjectKind.DATA)) == []
        assert pauses == [7]
    else:
        with pytest.raises(UnreachableError, match="503: Busy") as caught:
            list(remote.list(ObjectKind.DATA))
        assert str(caught.value).endswith(" Busy. Run the same command again in a while.")
        assert pauses == []


@pytest.mark.parametrize("text", ["No", "No.", "No. ", "No!", "Why?"])
def test_what_a_server_says_is_a_sentence(
    remote: RestBackend, server: RestServer, text: str
) -> None:
    end = text.strip() if text != "No" else "No."
    server.fail(status=403, text=text)
    with pytest.raises(AccessRefusedError) as refused:
        remote.load(ObjectKind.DATA, NAME)
    assert str(refused.value).endswith(f" The server says: {end}")
    server.fail(status=503, text=text, headers={"Retry-After": "9999"})
    with pytest.raises(UnreachableError, match="503: ") as caught:
        remote.load(ObjectKind.DATA, NAME)
    assert f"503: {end} Run the same" in str(caught.value)


def test_a_date_to_wait_for(remote: RestBackend, server: RestServer, pauses: list[float]) -> None:
    from email.utils import formatdate

    soon = formatdate(time.time() + 12, usegmt=True)
    server.fail(status=503, headers={"Retry-After": soon})
    assert list(remote.list(ObjectKind.DATA)) == []
    assert 10 < pauses[0] <= 12.1


def test_pauses_grow_and_vary_and_end(server: RestServer, pauses: list[float]) -> None:
    server.fail(status=502, times=10**6)
    remote = RestBackend(server.url, CREDENTIAL, patience=200)
    with pytest.raises(UnreachableError, match="within 200 seconds"):
        list(remote.list(ObjectKind.DATA))
    assert 100 < sum(pauses) <= 200
    assert pauses[0] <= 0.5
    assert 25 < pauses[-1] <= 60 or pauses[-2] > 25
    assert len(set(pauses)) == len(pauses)


def test_no_network(pauses: list[float]) -> None:
    remote = RestBackend(f"http://127.0.0.1:{any_port()}/v/", CREDENTIAL, patience=3)
    with pytest.raises(UnreachableError, match=r"or there is no network\. Check the network"):
        list(remote.list(ObjectKind.DATA))
    assert pauses


def test_an_unknown_host() -> None:
    remote = RestBackend("http://nowhere.invalid/v/", CREDENTIAL, patience=0)
    with pytest.raises(UnreachableError):
        list(remote.list(ObjectKind.DATA))


@pytest.mark.parametrize(
    "body", [b"<html>", b"{}", b'"x"', b"\xff", b"", b"[1]", b"[null]", b"[{}]"]
)
def test_a_listing_that_is_none(remote: RestBackend, server: RestServer, body: bytes) -> None:
    server.fail(method="GET", change=lambda _: body)
    with pytest.raises(StorageError, match="is this a restic REST server's address"):
        list(remote.list(ObjectKind.DATA))


@pytest.mark.parametrize("size", [b'"1"', b"null", b"1.5"])
def test_a_listing_that_is_not_understood_is_not_cut_short(
    remote: RestBackend, server: RestServer, size: bytes
) -> None:
    listing = b'[{"name":"%s","size":%s}]' % (b"a" * 64, size)
    server.fail(method="GET", change=lambda _: listing)
    with pytest.raises(StorageError, match="not readable"):
        list(remote.list(ObjectKind.DATA))


@pytest.mark.parametrize("body", [b"null", b"[]"])
def test_a_listing_of_nothing(remote: RestBackend, server: RestServer, body: bytes) -> None:
    server.fail(method="GET", change=lambda _: body)
    assert list(remote.list(ObjectKind.DATA)) == []


def test_foreign_names_in_a_listing_are_passed_over(
    remote: RestBackend, server: RestServer
) -> None:
    listing = b'[{"name":"../x","size":1},"..",{"name":"x"},{"name":"%s","size":5}]' % (b"b" * 64)
    server.fail(method="GET", change=lambda body: listing)
    assert list(remote.list(ObjectKind.DATA)) == [("b" * 64, 5)]


def test_version_one_of_the_protocol(remote: RestBackend, server: RestServer) -> None:
    server.objects[f"data/{NAME}"] = bytes(77)
    server.fail(method="GET", change=lambda body: b'["%s"]' % NAME.encode())
    assert list(remote.list(ObjectKind.DATA)) == [(NAME, 77)]


def test_a_redirect_to_another_host_does_not_carry_the_credential(
    remote: RestBackend, server: RestServer
) -> None:
    with running_server() as other:
        server.fail(method="GET", status=307, headers={"Location": other.url + f"data/{NAME}"})
        with pytest.raises(AccessRefusedError):
            remote.load(ObjectKind.DATA, NAME, offset=5, length=5)
        (seen,) = other.headers_seen
        assert "Authorization" not in seen
        assert seen["Range"] == "bytes=5-9"


def test_a_redirect_on_the_same_host_is_followed(remote: RestBackend, server: RestServer) -> None:
    server.objects["data/" + "cd" * 32] = b"there"
    target = server.url + "data/" + "cd" * 32
    server.fail(method="GET", path=NAME, status=307, headers={"Location": target})
    assert remote.load(ObjectKind.DATA, NAME) == b"there"


@pytest.mark.parametrize("target", ["ftp://x/", "", "file:///etc/passwd"])
def test_odd_redirects_are_refused(remote: RestBackend, server: RestServer, target: str) -> None:
    server.fail(method="GET", status=302, headers={"Location": target})
    with pytest.raises(StorageError, match="not safe"):
        remote.load(ObjectKind.DATA, NAME)


def test_redirects_in_a_circle_end(remote: RestBackend, server: RestServer) -> None:
    target = server.url + f"data/{NAME}"
    server.fail(method="GET", status=302, headers={"Location": target}, times=99)
    with pytest.raises(StorageError, match="circle"):
        remote.load(ObjectKind.DATA, NAME)


@pytest.mark.parametrize(
    ("text", "url", "credential"),
    [
        ("http://h/v", "http://h/v/", None),
        ("https://h:8443/a/b/", "https://h:8443/a/b/", None),
        ("https://u:p%40x%2F@h/v/", "https://h/v/", Credential("u", "p@x/")),
        ("http://u@h/v/", "http://h/v/", Credential("u", "")),
        ("http://[::1]:80/v/", "http://[::1]:80/v/", None),
    ],
)
def test_addresses(text: str, url: str, credential: Credential | None) -> None:
    assert RemoteUrl.parse(text) == RemoteUrl(url, credential)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must begin with http"),
        ("ftp://h/", "must begin with http"),
        ("http://", "names no server"),
        ("https:", "names no server"),
        ("http:///v", "names no server"),
        ("http://h/v?x", "must not contain"),
        ("http://h/#x", "must not contain"),
        ("http://h:port/", "not a valid URL"),
    ],
)
def test_bad_addresses(text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        RemoteUrl.parse(text)


def test_secrets_do_not_show_themselves(remote: RestBackend) -> None:
    assert SECRET not in repr(CREDENTIAL)
    assert SECRET not in repr(RemoteUrl.parse(f"http://u:{'s' * 20}@h/"))
    assert "ssss" not in repr(RemoteUrl.parse(f"http://u:{'s' * 20}@h/"))
    assert SECRET not in remote.location


BODY = b'[{"name":"%s","size":7}]' % NAME.encode()
WITH_LENGTH = b"HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: %d\r\n\r\n" % len(BODY)
IN_CHUNKS = b"HTTP/1.1 200 OK\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % len(BODY)


@pytest.mark.parametrize(
    ("head", "tail"), [(WITH_LENGTH, b""), (IN_CHUNKS, b"\r\n0\r\n\r\n")], ids=["length", "chunks"]
)
def test_a_head_that_was_cut_off_is_no_empty_list(
    head: bytes, tail: bytes, pauses: list[float]
) -> None:
    """Wherever it was: also within the number of bytes, or within the word for chunks."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for cut in range(1, len(head) + 1):
                for answer in (head[:cut], head + BODY + tail):
                    client, _ = listener.accept()
                    with client:
                        client.recv(65536)
                        client.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        for cut in range(1, len(head) + 1):
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/v/"
            with contextlib.closing(RestBackend(url, patience=30)) as remote:
                assert [found.name for found in remote.list(ObjectKind.INDEX)] == [NAME], head[:cut]
            assert len(pauses) == cut, head[:cut]
        thread.join()
