"""Compressed texts: what zstd's format allows is read, within bounds."""

import hashlib
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard
from nightsafe.archiver.backup import backup
from nightsafe.backend.base import ObjectKind
from nightsafe.backend.local import LocalBackend
from nightsafe.crypto.seal_key import SealKey
from nightsafe.crypto.sealer import Sealer
from nightsafe.crypto.sealer_portable import PortableSealer
from nightsafe.errors import DamagedError
from nightsafe.maintenance.check import check
from nightsafe.maintenance.forget import remove_snapshots
from nightsafe.maintenance.prune import PruneOptions, prune
from nightsafe.maintenance.prune_plan import parse_limit
from nightsafe.repofile.zstd_frames import decompress
from nightsafe.repository.blob_reader import BlobOpener
from nightsafe.repository.locks import Lock, stored_locks
from nightsafe.repository.repository import Repository
from nightsafe.restorer.restore import restore

from tests.support.agent import odd_frames
from tests.unit.agent.conftest import copy_vault, reopen

TEXT = b"nine bytes of this text, and more of it " * 300
ID = hashlib.sha256(TEXT).digest()


@pytest.mark.parametrize("form", odd_frames.sound(b"."))
def test_what_stock_restic_reads_is_read(form: str) -> None:
    frames = odd_frames.sound(TEXT)[form]
    assert decompress(frames, limit=len(TEXT)) == TEXT
    assert decompress(memoryview(frames), limit=10 * len(TEXT)) == TEXT
    for kind in (Sealer, PortableSealer):
        sealer = kind(SealKey.random())
        opener, sealed = BlobOpener(sealer), sealer.seal(frames)
        assert opener.open(sealed, blob_id=ID, plain_length=len(TEXT)) == TEXT
        assert opener.open_all([(sealed, ID, len(TEXT))]) == [TEXT]


@pytest.mark.parametrize("form", odd_frames.unsound(b"."))
def test_what_is_unsound_is_not_released(form: str) -> None:
    sealer = Sealer(SealKey.random())
    opener, sealed = BlobOpener(sealer), sealer.seal(odd_frames.unsound(TEXT)[form])
    assert opener.open_all([(sealed, ID, len(TEXT))]) in ([None], [TEXT])
    if form != "longer by a second frame":  # whose hash fits all the same
        with pytest.raises(DamagedError):
            opener.open(sealed, blob_id=ID, plain_length=len(TEXT))


def test_frames_of_any_kind_in_a_row(chance: random.Random) -> None:
    for _ in range(100):
        text = chance.randbytes(chance.randrange(300)) * chance.randrange(1, 5)
        assert decompress(odd_frames.anyhow(text, chance), limit=len(text)) == text


def test_many_frames_do_not_unpack_beyond_the_limit() -> None:
    bomb = zstandard.compress(bytes(1 << 20)) * 400 + odd_frames.skippable()
    with pytest.raises(DamagedError, match="more than they should"):
        decompress(bomb, limit=3 << 20)
    with pytest.raises(DamagedError, match="more than they should"):
        decompress(odd_frames.skippable() + bomb, limit=3 << 20)
    assert len(decompress(bomb, limit=400 << 20)) == 400 << 20


def test_a_lack_of_memory_is_not_called_damage() -> None:
    frames = odd_frames.frame(TEXT, window_log=29)
    program = (
        "import resource, sys\n"
        "from nightsafe.repofile.zstd_frames import decompress\n"
        "resource.setrlimit(resource.RLIMIT_AS, (300 << 20, 300 << 20))\n"
        "decompress(sys.stdin.buffer.read(), limit=1 << 20)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input=frames, capture_output=True, check=False
    )
    assert b"ResourceError: There is too little memory" in done.stderr


@pytest.fixture
def odd(repository: Repository, source: Path, tmp_path: Path, chance: random.Random) -> Repository:
    """A repository with two snapshots, all of whose texts and blobs are in odd frames."""
    (source / "long").write_bytes(os.urandom(40_000) * 3)
    backup(repository, [os.fsencode(source)])
    (source / "one.txt").write_text("another\n")
    backup(reopen(repository), [os.fsencode(source)])
    place = copy_vault(repository, LocalBackend(str(tmp_path / "odd")))
    odd_frames.rewritten(repository, place, chance)
    return reopen(place)


def test_a_repository_in_odd_frames_is_sound(odd: Repository, source: Path, tmp_path: Path) -> None:
    assert check(reopen(odd), read_data=True).errors == []
    odd.load_index()
    newest = odd.load_snapshots().sound[-1]
    report = restore(odd, newest, os.fsencode(tmp_path / "out"), options=None)
    assert report.issues == []
    (restored,) = (tmp_path / "out").rglob("long")
    assert restored.read_bytes() == (source / "long").read_bytes()


def test_a_repository_in_odd_frames_is_pruned(odd: Repository) -> None:
    remove_snapshots(odd, odd.load_snapshots().sound[:1])
    report = prune(reopen(odd), PruneOptions(limit=parse_limit("0")))
    assert report.repacked
    assert check(reopen(odd), read_data=True).errors == []


def test_locks_in_odd_frames_hold(repository: Repository) -> None:
    text = Lock.mine(exclusive=True)._replace(hostname="other").encode()
    forms = odd_frames.sound(text)
    del forms["large skippable"]  # larger than any lock
    for form, frames in forms.items():
        sealed = repository.sealer.seal(b"\x02" + frames)
        name = hashlib.sha256(sealed).hexdigest()
        repository.storage.save(ObjectKind.LOCK, name, sealed)
        assert dict(stored_locks(repository))[name].hostname == "other", form
