"""Packs, index files and snapshots: their texts, and what is refused when they are unsound."""

import hashlib
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightsafe.crypto.seal_key import SealKey
from nightsafe.crypto.sealer import Sealer
from nightsafe.errors import DamagedError, SnapshotNotFoundError
from nightsafe.repofile import index
from nightsafe.repofile.index import (
    Index,
    decode_index,
    encode,
    encode_index,
    encode_index_of,
    portable_decode,
    portable_encode,
)
from nightsafe.repofile.pack import (
    BlobEntry,
    BlobKind,
    PackContent,
    encode_entries,
    read_header,
)
from nightsafe.repofile.snapshot import Snapshot, find_name, find_parent
from nightsafe.repofile.tags import flat_tags

from backup_service.env import BASE_DIR
from tests.support.agent.extensions import needs
from tests.support.agent.packs import build_pack

VECTOR = json.loads((BASE_DIR / "tests" / "vectors" / "objects.json").read_text())
SEALER = Sealer(SealKey.from_bytes(bytes(range(64))))
ID = hashlib.sha256


def build(*plains: bytes, kind: BlobKind = BlobKind.DATA) -> tuple[PackContent, bytes]:
    blobs = [
        (ID(plain).digest(), SEALER.seal(plain), len(plain) if number % 2 else 0)
        for number, plain in enumerate(plains)
    ]
    return build_pack(kind, blobs, SEALER)


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=9), st.sampled_from(BlobKind))
def test_a_pack_says_what_it_holds(plains: list[bytes], kind: BlobKind) -> None:
    content, data = build(*[b"x" + plain for plain in plains], kind=kind)
    assert content.id == ID(data).digest()
    assert content.size == len(data)
    assert read_header(data, SEALER) == content.blobs
    for plain, blob in zip(plains, content.blobs, strict=True):
        assert SEALER.open(data[blob.offset : blob.offset + blob.length]) == b"x" + plain


def test_pack_vector() -> None:
    blobs = read_header(bytes.fromhex(VECTOR["pack"]), SEALER)
    assert [[b.kind.word, b.id.hex(), b.offset, b.length, b.plain_length] for b in blobs] == (
        VECTOR["pack_blobs"]
    )


def test_no_changed_header_byte_goes_unnoticed() -> None:
    content, data = build(b"one", b"two", b"three")
    for position in range(content.end, len(data)):
        changed = bytearray(data)
        changed[position] ^= 1
        with pytest.raises(DamagedError):
            read_header(bytes(changed), SEALER)


@pytest.mark.parametrize("cut", [0, 3, 30, 60])
def test_a_torn_pack_is_damage(cut: int) -> None:
    _, data = build(b"one")
    with pytest.raises(DamagedError):
        read_header(data[:cut], SEALER)


@pytest.mark.parametrize(
    "header", [b"\4" + bytes(36), b"\0" + bytes(20), b"\2" + bytes(36), b"\0" + bytes(36)]
)
def test_an_unsound_header_is_damage(header: bytes) -> None:
    sealed = SEALER.seal(header)
    with pytest.raises(DamagedError):
        read_header(sealed + len(sealed).to_bytes(4, "little"), SEALER)


ENTRIES = st.builds(
    BlobEntry,
    kind=st.sampled_from(BlobKind),
    id=st.binary(min_size=32, max_size=32),
    offset=st.integers(0, 2**31),
    length=st.integers(32, 2**31),
    plain_length=st.integers(0, 2**31),
)
PACKS = st.builds(
    PackContent,
    id=st.binary(min_size=32, max_size=32),
    blobs=st.lists(ENTRIES, max_size=4).map(tuple),
)


@given(st.lists(PACKS, max_size=4))
def test_an_index_survives(packs: list[PackContent]) -> None:
    assert decode_index(encode_index(packs)) == packs


def outcome(decode: Callable[[bytes], list[PackContent]], text: bytes) -> object:
    """What an index file holds and of which types, or that it is damaged."""
    try:
        packs = decode(text)
    except DamagedError:
        return "damaged"
    blobs = [blob for pack in packs for blob in pack.blobs]
    return packs, set(map(type, packs)), set(map(type, blobs)), {type(b.kind) for b in blobs}


TOKENS = st.sampled_from(
    [
        *(b"", b"0", b"-1", b"4294967295", b"4294967296", b"31", b"01", b"1.0", b"1e3", b"null"),
        *(b'"', b",", b":", b"{", b"}", b"[", b"]", b"[]", b" ", b"\n", b"\\u0061", b"\xff", b"F"),
        *(
            b'"type":"tree"',
            b'"type":"meta"',
            b'"offset":7',
            b',"length":40',
            b'"id":"' + b"g" * 64,
        ),
    ]
)


@given(
    st.lists(PACKS, max_size=3).map(encode_index),
    st.lists(st.tuples(st.integers(0), st.integers(0, 20), TOKENS), max_size=3),
)
def test_an_index_is_read_alike_by_the_quick_way_and_the_general_one(
    text: bytes, changes: list[tuple[int, int, bytes]]
) -> None:
    for position, size, token in changes:
        at = position % (len(text) + 1)
        text = text[:at] + token + text[at + size :]
    assert outcome(decode_index, text) == outcome(portable_decode, text)


@needs("index_entries")
@pytest.mark.parametrize("ending", [b"", b"\n"])
def test_the_usual_index_goes_the_quick_way(monkeypatch: pytest.MonkeyPatch, ending: bytes) -> None:
    text = VECTOR["index"].encode() + ending
    expected = portable_decode(text)
    monkeypatch.setattr(index, "portable_decode", None)
    assert decode_index(text) == expected


def test_index_vector() -> None:
    text = VECTOR["index"].encode()
    assert encode_index(decode_index(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{}",
        b'{"packs":[{"id":"00","blobs":[]}]}',
        b'{"packs":[{"id":"%s","blobs":[{"id":"%s","type":"data","offset":0,"length":31}]}]}'
        % (b"a" * 64, b"b" * 64),
        b'{"packs":[{"id":"%s","blobs":[{"id":"%s","type":"meta","offset":0,"length":40}]}]}'
        % (b"a" * 64, b"b" * 64),
        b'{"packs":[{"id":"%s","blobs":[{"id":"%s","type":"data","offset":-1,"length":40}]}]}'
        % (b"a" * 64, b"b" * 64),
    ],
)
def test_an_unsound_index_is_damage(text: bytes) -> None:
    with pytest.raises(DamagedError):
        decode_index(text)


def test_a_blob_may_lie_in_several_packs_and_in_both_kinds() -> None:
    index, blob = Index(), bytes(32)
    for number, kind in enumerate([BlobKind.DATA, BlobKind.DATA, BlobKind.TREE]):
        entry = BlobEntry(kind, blob, number * 100, 40, 0)
        for _ in range(2):  # hearing of a pack twice changes nothing
            index.add(PackContent(bytes([number]) * 32, (entry,)))
    assert [copy.offset for copy in index.locate(BlobKind.DATA, blob)] == [0, 100]
    assert [copy.offset for copy in index.locate(BlobKind.TREE, blob)] == [200]
    assert index.pack_end(bytes([1]) * 32) == 140
    assert index.count(BlobKind.DATA) == 1
    assert index.locate(BlobKind.DATA, b"?" * 32) == []


def snapshot(number: int, **fields: object) -> Snapshot:
    base = {"time": number, "tree": bytes(32), "paths": ("/a",), "id": f"{number:064x}"}
    return Snapshot(**(base | fields))  # type: ignore[arg-type]


def test_snapshot_vector() -> None:
    text = VECTOR["snapshot"].encode()
    assert Snapshot.decode(text, snapshot_id="").encode() == text


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=3).map(tuple))
def test_a_snapshot_survives(words: tuple[str, ...]) -> None:
    before = snapshot(5, paths=words, tags=words, excludes=words, hostname="".join(words))
    after = before._replace(tags=flat_tags(words))
    assert Snapshot.decode(before.encode(), snapshot_id=before.id) == after


SUMMARY = b'{"files_new":2,"backup_end":"2026-11-29T03:04:55.904202264Z","of the future":[{}]}'


def test_what_restic_tells_of_a_backup_survives() -> None:
    text = VECTOR["snapshot"].encode()[:-1] + b',"summary":' + SUMMARY + b"}"
    read = Snapshot.decode(text, snapshot_id="")
    assert read.summary == SUMMARY
    assert read.encode() == text


@pytest.mark.parametrize("odd", [b"null", b"[]", b'"x"', b"5", b'{"a":' * 300 + b"0" + b"}" * 300])
def test_no_snapshot_is_lost_over_its_summary(odd: bytes) -> None:
    text = VECTOR["snapshot"].encode()
    with_it = text[:-1] + b',"summary":' + odd + b"}"
    assert Snapshot.decode(with_it, snapshot_id="").encode() == text


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{}", b'{"time":"x","tree":""}', b'{"time":5,"tree":"","paths":[]}']
)
def test_an_unsound_snapshot_is_damage(text: bytes) -> None:
    with pytest.raises(DamagedError):
        Snapshot.decode(text, snapshot_id="0" * 64)


def test_the_parent_is_the_newest_of_the_same_host_with_all_paths() -> None:
    known = [
        snapshot(1, hostname="me"),
        snapshot(2, hostname="me", paths=("/a", "/b")),
        snapshot(3, hostname="other"),
        snapshot(4, hostname="me", paths=("/b",)),
    ]
    assert find_parent(known, hostname="me", paths=["/a"]) == known[1]
    assert find_parent(known, hostname="me", paths=["/a", "/c"]) is None


def test_snapshots_are_found_by_name() -> None:
    known = ["ab" * 32, "ac" * 32, "bb" * 32]
    assert find_name(known, "b") == "bb" * 32
    assert find_name(known, "ab" * 32) == "ab" * 32


@pytest.mark.parametrize("wanted", ["a", "d", "", "..", "AB", "ab" * 40])
def test_no_or_several_snapshots_are_an_error(wanted: str) -> None:
    with pytest.raises(SnapshotNotFoundError):
        find_name(["ab" * 32, "ac" * 32], wanted)
    with pytest.raises(SnapshotNotFoundError):
        find_name([], wanted)


@given(st.binary(max_size=200) | st.lists(ENTRIES).map(encode_entries))
def test_headers_become_entries_of_an_index_the_same_way(header: bytes) -> None:
    assert encode(header) == portable_encode(header)


def test_a_header_that_is_not_sound_is_in_no_index() -> None:
    with pytest.raises(DamagedError, match="no index file was made"):
        encode_index_of([(bytes(32), b"\x07" * 41)])
