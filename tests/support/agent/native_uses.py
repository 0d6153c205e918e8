"""One use of each extension in C: good calls and refused ones, by the standard library alone.

`python -m tests.support.agent.native_uses [ROUNDS]` does them all, for tools that watch memory.
"""

import os
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from types import ModuleType, SimpleNamespace
from typing import Any

Use = Callable[[Any, str], None]
KEY = SimpleNamespace(encrypt=b"e" * 32, mac_k=b"k" * 16, mac_r=bytes(16))
CONTENT = b"some content\n"
CONTENT_ID = bytes.fromhex("1c87b6727f523662df714f06a94ea27fa4d9050c38f4f7712bd4663ffbfdfa01")
WAY = {"_sha256_mb": "nightsafe_native._sha256_mb"}


class Pack(tuple[Any, ...]):
    """A tuple of a kind of its own, as `index_entries` makes them."""

    __slots__ = ()


def load(name: str) -> ModuleType:
    """Import an extension by its short name."""
    return import_module(WAY.get(name, f"nightsafe._native.{name}"))


def refused(kind: type[Exception], call: Callable[..., object], *arguments: object) -> None:
    """See that a call raises an error of this kind."""
    try:
        call(*arguments)
    except kind:
        return
    raise AssertionError(f"{call} took {arguments}")


def _blob_set(module: Any, _: str) -> None:
    table = module.Table(bytearray(8 + 16 * 12), bytes(32), 8, 4, 1)
    assert table.claim(CONTENT_ID)
    assert not table.claim(CONTENT_ID)
    assert table.contains(CONTENT_ID)
    refused(TypeError, table.claim, b"short")
    table.release()
    refused(ValueError, table.contains, CONTENT_ID)
    refused(ValueError, module.Table, bytearray(8), bytes(32), 8, 4, 1)
    refused(ValueError, module.Table, bytearray(8), b"short", 8, 4, 1)


def _fastcdc(module: Any, _: str) -> None:
    cutter = module.Cutter(os.urandom(2048), 16, 32, 64, 0xFF00, 0xF000)
    assert cutter.ends(bytes(1000), True)[-1] == 1000
    refused(TypeError, cutter.ends, "text", True)
    refused(ValueError, module.Cutter, bytes(2048), 16, 8, 64, 1, 1)


def _rabin(module: Any, _: str) -> None:
    cutter = module.Cutter(bytes(2048), bytes(2048), 64, 128, 1)
    assert cutter.ends(bytes(1000), True)[-1] == 1000
    refused(TypeError, cutter.ends, "text", True)
    refused(ValueError, module.Cutter, bytes(2048), b"\xff" * 2048, 64, 128, 1)


def _file_writer(module: Any, folder: str) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        own = (0o600, os.getuid(), os.getgid(), 5, 10**18)
        assert module.place(fd, b"new.tmp", b"new", CONTENT, *own)
        assert not module.place(fd, b"new.tmp", b"a/b", CONTENT, *own)
        refused(TypeError, module.place, fd, "text", b"new", CONTENT, *own)
        refused(TypeError, module.place, fd, b"new.tmp", b"new", "text", *own)
    finally:
        os.close(fd)


def _file_match(module: Any, folder: str) -> None:
    path = os.path.join(folder, "match")
    with open(path, "wb") as file:
        file.write(CONTENT)
    os.utime(path, ns=(5, 10**18))
    size, found = len(CONTENT), os.stat(path)
    lengths = size.to_bytes(8, "little")
    rest = (size, 1, found.st_mode & 0o7777, found.st_uid, found.st_gid, 10**18, False, None)
    fd = os.open(folder, os.O_RDONLY)
    try:
        files = [(b"match", 0, one, lengths, *rest) for one in (CONTENT_ID, bytes(32))]
        assert module.compare(fd, [*files, (b"none", *files[0][1:])]) == bytes([1, 0, 0])
        refused(ValueError, module.compare, fd, [(b"match", 0, b"short", lengths, *rest)])
        refused(TypeError, module.compare, fd, [(b"match",)])
    finally:
        os.close(fd)


def _index_entries(module: Any, _: str) -> None:
    header = b"\x00" + (100).to_bytes(4, "little") + CONTENT_ID
    text = module.encode(header)
    assert module.encode(b"\x07" * 40) is None
    refused(TypeError, module.encode, "text")
    kinds = (Pack, Pack, "data", "tree")
    whole = b'{"packs":[{"id":"%s","blobs":[%s]}]}' % (CONTENT_ID.hex().encode(), text)
    ((pack, ((kind, blob, *numbers),)),) = module.decode(whole, *kinds)
    assert (pack, kind, blob, numbers) == (CONTENT_ID, "data", CONTENT_ID, [0, 100, 0])
    for end in range(0, len(whole), 7):
        assert module.decode(whole[:end], *kinds) is None
    refused(TypeError, module.decode, whole, list, Pack, "data", "tree")


def _memory(module: Any, _: str) -> None:
    module.trim()


def _scrypt(module: Any, _: str) -> None:
    lanes = os.urandom(128 * 3)
    assert module.romix(lanes, 16, 1, 1) == module.romix(lanes, 16, 1, 3) != lanes
    refused(ValueError, module.romix, lanes, 15, 1, 1)


def _seal(module: Any, _: str) -> None:
    from nightsafe.errors import DamagedError

    sealer = module.Sealer(KEY)
    for text in (b"", CONTENT, bytes(100_000)):
        sealed = sealer.seal(text)
        assert sealer.open(sealed) == bytes(sealer.peek(sealed)) == text
        room = bytearray(len(sealed) + 5)
        assert sealer.seal_into(room, 5, text) == len(room)
        assert sealer.put(room, 0, text, text, None) == len(sealed)
        assert sealer.put(room, 0, b"", CONTENT, bytes) is None
        refused(DamagedError, sealer.open, sealed[:-1] + bytes([sealed[-1] ^ 1]))
        refused(DamagedError, sealer.peek, sealed[:20])
        refused(ValueError, sealer.seal_into, room, 6, text)
    refused(TypeError, sealer.seal, "text")
    refused(ValueError, module.Sealer, SimpleNamespace(encrypt=b"short"))
    refused(AttributeError, module.Sealer, None)


def _sha256(module: Any, _: str) -> None:
    assert module.digests([CONTENT, bytes(5000), CONTENT])[::2] == [CONTENT_ID, CONTENT_ID]
    refused(TypeError, module.digests, [CONTENT, "text"])


def _sha256_mb(module: Any, _: str) -> None:
    one, other = module.Running(), module.Running()
    module.update_all([one, other], [CONTENT[:5], bytes(1000)])
    module.update_all([one, other], [CONTENT[5:], b""])
    assert one.hexdigest() == CONTENT_ID.hex()
    refused(ValueError, module.update_all, [one, one], [b"", b""])
    refused(TypeError, module.update_all, [one, None], [b"", b""])
    refused(TypeError, module.update_all, [one, other], [b"", "text"])


def _small_files(module: Any, folder: str) -> None:
    names = [b"one", b"two", b"three"]
    paths = [os.path.join(folder, name.decode()).encode() for name in names]
    for path in paths:
        with open(path, "wb") as file:
            file.write(CONTENT)
    seen = list(zip(names, paths, load("stat").look(paths), strict=True))
    ids: set[bytes] = set()
    gatherer = module.Gatherer(
        memoryview(bytearray(1 << 20)),
        lambda one: one not in ids and not ids.add(one),  # type: ignore[func-returns-value]
        load("seal").Sealer(KEY).put,
        None,
        bytes,
        lambda: 1 / 0,
        lambda second: (f"{second}", "Z"),
        lambda *_: (',"mode":420', ',"uid":0'),
        True,
    )
    packs = [_pack(), _pack()]
    done: list[Any] = []
    stop, nodes, blobs, size = gatherer.gather(seen, 0, packs, 1 << 20, 1000, done)
    assert (stop, blobs, size, len(done)) == (3, 1, len(CONTENT), 3)
    assert nodes.count(CONTENT_ID.hex().encode()) == 3
    assert sum(pack.count for pack in packs) == 1
    refused(TypeError, gatherer.gather, [None], 0, packs, 1 << 20, 1000, done)
    refused(AttributeError, gatherer.gather, seen, 0, [None, None], 1 << 20, 1000, done)
    refused(TypeError, module.Gatherer, b"", *[None] * 7)


def _pack() -> SimpleNamespace:
    view = memoryview(bytearray(1 << 12))
    return SimpleNamespace(view=view, size=0, count=0, header=bytearray())


def _stat(module: Any, folder: str) -> None:
    path = os.path.join(folder, "entry").encode()
    with open(path, "wb") as file:
        file.write(CONTENT)
    status, error = module.look([path, path + b"-none"])
    assert (status.st_size, error) == (len(CONTENT), 2)
    assert status.st_mtime_ns == os.stat(path).st_mtime_ns
    room = bytearray(100)
    assert module.load(path, status, memoryview(room)) is not None
    assert room.startswith(CONTENT)
    whole, none = module.survey([folder.encode(), path], 100)
    assert b"entry" in whole[0].split(b"\0")
    assert none == 20
    assert module.record([(b"entry", path, status)]) in whole[1]
    assert module.survey([folder.encode()], 0) == [None]
    refused(TypeError, module.look, ["text"])
    refused(ValueError, module.survey, [b"a\0b"], 1)
    refused(TypeError, module.record, [(b"entry", path, None)])
    refused(ValueError, module.load, path, status, memoryview(bytearray(3)))


def _tree_check(module: Any, _: str) -> None:
    tree = b'{"nodes":[{"name":"a","type":"file","mode":420,"content":["%s"]}]}\n'
    assert module.count(tree % CONTENT_ID.hex().encode()) == 1
    assert module.count(tree % b"short") is None
    assert module.count(b'{"nodes":[{"name":"\xff","type":"symlink","content":null}]}\n') is None
    refused(TypeError, module.count, "text")


def _tree_nodes(module: Any, _: str) -> None:
    blob = CONTENT_ID.hex()
    entry = {"name": "a", "type": "file", "size": 1, "content": [blob], "subtree": blob}
    entry["mtime"] = "2026-01-02T03:04:05.678+01:00"
    node = module.decode(entry)
    assert (node[0], node[17], node[18]) == (b"a", (CONTENT_ID,), CONTENT_ID)
    for key, odd in (("name", "\n"), ("mtime", "now"), ("size", 1.5), ("content", ["short"])):
        assert module.decode({**entry, key: odd}) is None


USES: dict[str, Use] = {
    "_sha256_mb": _sha256_mb,
    "blob_set": _blob_set,
    "fastcdc": _fastcdc,
    "file_match": _file_match,
    "file_writer": _file_writer,
    "index_entries": _index_entries,
    "memory": _memory,
    "rabin": _rabin,
    "scrypt": _scrypt,
    "seal": _seal,
    "sha256": _sha256,
    "small_files": _small_files,
    "stat": _stat,
    "tree_check": _tree_check,
    "tree_nodes": _tree_nodes,
}
"""By the extension's name: what is done with the module, and with a folder for files of its own."""


def use_all(rounds: int, *, missing: tuple[str, ...] = ()) -> None:
    """Use each extension that is not missing so many times."""
    with tempfile.TemporaryDirectory() as folder:
        for name, use in USES.items():
            for _ in range(0 if name in missing else rounds):
                use(load(name), folder)


if __name__ == "__main__":
    use_all(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
