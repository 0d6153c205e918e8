"""Whatever bytes a server or disk gives: a sound value or a typed error, and bounded memory."""

import json
import struct
import tracemalloc
from collections.abc import Callable
from typing import Any

import orjson
import pytest
import zstandard
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from nightsafe.backend.base import ObjectKind
from nightsafe.backend.rest import RestBackend
from nightsafe.crypto.seal_key import SealKey
from nightsafe.crypto.sealer import Sealer
from nightsafe.errors import DamagedError, NightsafeError
from nightsafe.repofile.config import Config
from nightsafe.repofile.index import decode_index
from nightsafe.repofile.key import KdfParams, unwrap, wrap
from nightsafe.repofile.pack import BlobKind, read_header
from nightsafe.repofile.snapshot import Snapshot
from nightsafe.repofile.tree import decode_tree
from nightsafe.repofile.zstd_frames import decompress
from nightsafe.repository.locks import Lock

from tests.support.agent.packs import build_pack
from tests.support.agent.rest_server import RestServer, connect_string

SEALER = Sealer(SealKey.from_bytes(bytes(range(64))))
ID = "ab" * 32
TIME = "2024-02-03T04:05:06.789+01:00"
BLOB = {"id": ID, "type": "data", "offset": 0, "length": 64, "uncompressed_length": 90}
NODE = {
    "name": "x",
    "type": "file",
    "mode": 420,
    "mtime": TIME,
    "atime": TIME,
    "ctime": TIME,
    "uid": 1,
    "gid": 1,
    "user": "u",
    "inode": 7,
    "size": 3,
    "links": 1,
    "content": [ID],
    "subtree": ID,
    "linktarget": "y",
    "linktarget_raw": "eQ==",
    "extended_attributes": [{"name": "user.a", "value": "eQ=="}],
}
VALID: dict[str, tuple[Callable[[bytes], object], dict[str, Any]]] = {
    "index": (decode_index, {"packs": [{"id": ID, "blobs": [BLOB, BLOB]}]}),
    "tree": (decode_tree, {"nodes": [NODE, NODE]}),
    "snapshot": (
        lambda text: Snapshot.decode(text, snapshot_id=ID),
        {
            "time": TIME,
            "tree": ID,
            "paths": ["/x"],
            "hostname": "h",
            "username": "u",
            "uid": 1,
            "gid": 1,
            "tags": ["t"],
            "excludes": ["e"],
            "parent": ID,
            "original": ID,
            "summary": {"files_new": 1, "backup_start": TIME},
        },
    ),
    "config": (
        Config.decode,
        {
            "version": 2,
            "id": ID,
            "chunker_polynomial": "25b468838dcb75",
            "nightsafe_chunker": {"name": "gear", "version": 1},
        },
    ),
    "lock": (
        Lock.decode,
        {
            "time": TIME,
            "exclusive": False,
            "hostname": "h",
            "username": "u",
            "pid": 5,
            "uid": 1,
            "gid": 1,
        },
    ),
}
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70).filter(lambda n: -(2**63) <= n < 2**64),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.sampled_from([ID, ID.upper(), "z" * 64, TIME, "9999-99-99T99:99:99Z", "\\", '"', "\ud83d"]),
    st.lists(st.none(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.none(), max_size=2),
)


@st.composite
def changed(draw: st.DrawFn, value: Any) -> Any:
    """A JSON value with something in it replaced, taken away or put in."""
    if draw(st.integers(0, 3)) == 0:
        return draw(ODD)
    if isinstance(value, dict) and value:
        key = draw(st.sampled_from(sorted(value)))
        if draw(st.booleans()):
            return {k: v for k, v in value.items() if k != key}
        return value | {key: draw(changed(value[key]))}
    if isinstance(value, list) and value:
        return [draw(changed(value[0])), *value[1:]]
    return draw(ODD)


def only_typed(parse: Callable[[bytes], object], data: bytes) -> None:
    """Parse; anything but a value or the family's errors is a failure of the test."""
    try:
        parse(data)
    except NightsafeError:
        return


@pytest.mark.parametrize("what", VALID)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_texts_with_something_wrong(what: str, data: st.DataObject) -> None:
    parse, valid = VALID[what]
    only_typed(parse, _dumped(data.draw(changed(valid))))


@pytest.mark.parametrize("what", VALID)
def test_the_texts_are_valid_as_they_stand(what: str) -> None:
    parse, valid = VALID[what]
    parse(orjson.dumps(valid))


@pytest.mark.parametrize("what", VALID)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_bytes_with_something_wrong(what: str, data: st.DataObject) -> None:
    parse, valid = VALID[what]
    text = bytearray(orjson.dumps(valid))
    for _ in range(data.draw(st.integers(1, 4))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    only_typed(parse, bytes(text[: data.draw(st.integers(0, len(text)))]))


@pytest.mark.parametrize("what", VALID)
@pytest.mark.parametrize("depth", [1000, 200_000])
def test_deep_nesting(what: str, depth: int) -> None:
    only_typed(VALID[what][0], b'{"nodes":' * depth)
    only_typed(VALID[what][0], b"[" * depth + b"]" * depth)


@given(st.binary(max_size=400))
@example(b"\x00" * 37)
@example(b"\x02" + struct.pack("<II", 0xFFFFFFFF, 0xFFFFFFFF) + bytes(32))
def test_pack_headers(header: bytes) -> None:
    sealed = SEALER.seal(header)
    pack = sealed + len(sealed).to_bytes(4, "little")
    only_typed(lambda data: read_header(data, SEALER), pack)
    only_typed(lambda data: read_header(data, SEALER), bytes(500) + pack)


@given(st.binary(max_size=200))
def test_packs_and_seals_of_any_bytes(data: bytes) -> None:
    with pytest.raises(DamagedError):
        read_header(data, SEALER)
    with pytest.raises(DamagedError):
        SEALER.open(data)


@given(st.integers(0, 2**32 - 1))
def test_a_pack_with_any_header_length(length: int) -> None:
    _, data = build_pack(BlobKind.DATA, [(bytes(32), SEALER.seal(b"x" * 50), 0)], SEALER)
    only_typed(lambda pack: read_header(pack, SEALER), data[:-4] + length.to_bytes(4, "little"))


KEY = json.loads(wrap(SealKey.from_bytes(bytes(64)), "pass", KdfParams(1 << 14, 8, 1)))
COSTS = st.integers(-(2**63), 2**63) | st.integers(0, 40).map(lambda n: 2**n)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(sorted(KEY)), ODD | COSTS)
@example("N", 2**21)
@example("r", 2**24)
@example("p", 2**30)
def test_keys(field: str, value: object) -> None:
    assume(field not in ("N", "r", "p") or not _is_dear(field, value))
    only_typed(lambda raw: unwrap(raw, "pass"), _dumped(KEY | {field: value}))


def _is_dear(field: str, value: object) -> bool:
    """Whether deriving is allowed and takes so long that one try of it says enough."""
    cost = {"N": KEY["N"], "r": KEY["r"], "p": KEY["p"]} | {field: value}
    if not isinstance(value, int) or isinstance(value, bool):
        return False
    try:
        KdfParams(cost["N"], cost["r"], cost["p"]).check()
    except NightsafeError:
        return False
    return bool(cost["N"] * cost["r"] * cost["p"] > 1 << 18)


def _dumped(value: object) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogatepass")


@settings(deadline=None)
@given(st.binary(max_size=300), st.integers(0, 1000))
def test_frames(data: bytes, limit: int) -> None:
    only_typed(lambda frame: _within(frame, limit), data)
    whole = zstandard.ZstdCompressor().compress(data)
    only_typed(lambda frame: _within(frame, limit), whole)
    only_typed(lambda frame: _within(frame, limit), whole[: len(whole) // 2])
    only_typed(lambda frame: _within(frame, limit), whole + whole)


def _within(frame: bytes, limit: int) -> None:
    assert len(decompress(frame, limit=limit)) <= limit


@pytest.mark.parametrize("says_size", [True, False])
def test_a_bomb_takes_no_memory(says_size: bool) -> None:
    compressor = zstandard.ZstdCompressor(write_content_size=says_size)
    bomb = compressor.compress(bytes(300_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(DamagedError):
            decompress(bomb, limit=1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


LISTINGS = st.one_of(
    st.binary(max_size=100),
    changed([{"name": ID, "size": 5}]).map(_dumped),
    st.just(b"[" * 2000),
)


@settings(max_examples=60, deadline=None)
@given(answer=LISTINGS)
def test_listings(listing_server: tuple[RestServer, RestBackend], answer: bytes) -> None:
    server, remote = listing_server
    server.faults.clear()
    server.fail(method="GET", path="index/", change=lambda _: answer, times=1000)
    only_typed(lambda _: list(remote.list(ObjectKind.INDEX)), b"")


@pytest.fixture(scope="module")
def listing_server() -> Any:
    from nightsafe.settings.location import find_location

    from tests.support.agent.rest_server import running_server

    with running_server() as server:
        environ = {"NIGHTSAFE_REPOSITORY": connect_string(server)}
        remote = find_location(None, environ).open(patience=0)
        yield server, remote
        remote.close()
