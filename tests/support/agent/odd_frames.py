"""zstd's frames as no backup program makes them, and as its format allows them."""

import hashlib
import random
import struct

import zstandard
from nightsafe.backend.base import ObjectKind
from nightsafe.repofile.index import encode_index
from nightsafe.repofile.pack import PackContent
from nightsafe.repository.blob_reader import BlobOpener
from nightsafe.repository.repository import Repository

from tests.support.agent.packs import store_pack
from tests.support.agent.stored_texts import load_text

_BLOCK = 64 << 10
_COMPRESSED = b"\x02"


def frame(
    text: bytes, *, window_log: int = 20, eighths: int = 0, claimed: int | None = None
) -> bytes:
    """A frame of bare blocks with a window of 2 ** `window_log` bytes and so many eighths more.

    It names its length only if that is `claimed`.
    """
    window = bytes([(window_log - 10) << 3 | eighths])
    head = b"\x00" + window if claimed is None else b"\xc0" + window + struct.pack("<Q", claimed)
    starts = range(0, len(text), _BLOCK) or [0]
    blocks = b"".join(
        _block(text[start : start + _BLOCK], is_last=start == starts[-1]) for start in starts
    )
    return b"\x28\xb5\x2f\xfd" + head + blocks


def _block(data: bytes, *, is_last: bool) -> bytes:
    return (len(data) << 3 | is_last).to_bytes(3, "little") + data


def skippable(data: bytes = b"passed over", *, number: int = 0) -> bytes:
    """A frame of user data, which unpacks to nothing; there are 16 numbers of them."""
    return struct.pack("<II", 0x184D2A50 + number, len(data)) + data


def sound(text: bytes) -> dict[str, bytes]:
    """What stock restic 0.14, 0.18.0 and 0.19.1 read, each as a way to write `text`."""
    half, step = len(text) // 2, 7 + len(text) // 300
    whole, first, second = map(_sized, (text, text[:half], text[half:]))
    widest = frame(text[:half], window_log=29) + frame(text[half:], window_log=29)
    return {
        "plain": whole,
        "of unknown size": _unsized(text),
        "with checksum": _checked(text),
        "two frames": first + second,
        "two of unknown size": _unsized(text[:half]) + _unsized(text[half:]),
        "known, then unknown size": first + _unsized(text[half:]),
        "many frames": b"".join(_sized(text[i : i + step]) for i in range(0, len(text), step)),
        "skippable in front": skippable() + whole,
        "skippable in front of unknown size": skippable() + _unsized(text),
        "skippable between": first + skippable() + second,
        "skippable behind": whole + skippable(),
        "all sixteen numbers": b"".join(skippable(b"", number=i) for i in range(16)) + whole,
        "large skippable": skippable(bytes(1 << 20)) + whole,
        "empty frames around": _sized(b"") + whole + _unsized(b""),
        "window of 2^27": frame(text, window_log=27),
        "window of 2^28": frame(text, window_log=28),
        "window of 2^28 and seven eighths": frame(text, window_log=28, eighths=7),
        "window of 2^29": frame(text, window_log=29),
        "two windows of 2^29": widest,
    }


def unsound(text: bytes) -> dict[str, bytes]:
    """What stock restic refuses as well."""
    whole, size = _sized(text), len(text)
    return {
        "nothing": b"",
        "skippable alone": skippable(),
        "skippable that claims 2 GiB": struct.pack("<II", 0x184D2A50, 1 << 31) + whole,
        "torn": whole[:-1],
        "torn in the second": _sized(text[:9]) + _sized(text[9:])[:-1],
        "wrong checksum": zstandard.ZstdCompressor(write_checksum=True).compress(text)[:-4]
        + b"none",
        "without magic": whole[4:],
        "of format 0.7": b"\x27" + whole[1:],
        "longer": _sized(text + b"x"),
        "longer by a second frame": whole + _sized(b"x"),
        "shorter": _sized(text[:-1]),
        "claims more": frame(text, claimed=size + 1),
        "claims less": frame(text, claimed=size - 1),
        "claims 2^62 bytes": frame(text, claimed=1 << 62),
        "window of 2^29 and an eighth": frame(text, window_log=29, eighths=1),
        "window of 2^30": frame(text, window_log=30),
        "window of 2^41": frame(text, window_log=41),
    }


def anyhow(text: bytes, chance: random.Random) -> bytes:
    """`text` cut at random and written in sound frames of any kind."""
    cuts = sorted(chance.randrange(len(text) + 1) for _ in range(chance.randrange(4)))
    written = []
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        if chance.randrange(3) == 0:
            written.append(
                skippable(chance.randbytes(chance.randrange(50)), number=chance.randrange(16))
            )
        written.append(chance.choice(list(sound(text[start:end]).values())))
    return b"".join(written)


def rewritten(repository: Repository, place: Repository, chance: random.Random) -> None:
    """Write all that a repository holds into an empty one with the same key, in odd frames."""
    packs = []
    for _, contents in repository.index_files():
        packs += [_pack_anew(repository, place, content, chance) for content in contents or ()]
    _save_text(place, ObjectKind.INDEX, encode_index(packs), chance)
    for listing in list(repository.storage.list(ObjectKind.SNAPSHOT)):
        text = load_text(repository, ObjectKind.SNAPSHOT, listing.name)
        _save_text(place, ObjectKind.SNAPSHOT, text, chance)


def _pack_anew(
    repository: Repository, place: Repository, content: PackContent, chance: random.Random
) -> PackContent:
    data = repository.storage.load(ObjectKind.DATA, content.id.hex())
    opener, blobs = BlobOpener(repository.sealer), []
    for blob in content.blobs:
        sealed = data[blob.offset : blob.offset + blob.length]
        plain = opener.open(sealed, blob_id=blob.id, plain_length=blob.plain_length)
        sealed = place.sealer.seal(anyhow(plain, chance))
        blobs.append((blob.id, sealed, len(plain)))
    return store_pack(place, content.blobs[0].kind, *blobs)


def _save_text(place: Repository, kind: ObjectKind, text: bytes, chance: random.Random) -> None:
    sealed = place.sealer.seal(_COMPRESSED + anyhow(text, chance))
    place.storage.save(kind, hashlib.sha256(sealed).hexdigest(), sealed)


_sized = zstandard.ZstdCompressor().compress
_checked = zstandard.ZstdCompressor(write_checksum=True).compress
_unsized = zstandard.ZstdCompressor(write_content_size=False).compress
