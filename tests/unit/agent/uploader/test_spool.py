"""The outbox: order, room, trouble, and what a dead backup leaves."""

import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from nightsafe.backend.base import ObjectKind
from nightsafe.errors import QuotaError, StorageError
from nightsafe.uploader.spool import LEAST_ROOM, Spool

BATCH = 1 << 20


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def begin(folder: Path, batch: int = BATCH) -> Spool:
    spool = Spool.begin(str(folder), batch=batch)
    assert spool is not None
    return spool


def put(spool: Spool, data: bytes, kind: ObjectKind = ObjectKind.DATA) -> str:
    spool.put(kind, sha(data), data)
    return sha(data)


def test_in_the_order_in_which_things_came(tmp_path: Path) -> None:
    spool = begin(tmp_path)
    names = [put(spool, os.urandom(100)) for _ in range(20)]
    names.append(put(spool, b"index", ObjectKind.INDEX))
    items = spool.items()
    assert [item.name for item in items] == names
    assert items[-1].kind is ObjectKind.INDEX
    assert {sha(Path(item.path).read_bytes()) for item in items} == set(names)
    assert os.stat(spool.folder).st_mode & 0o777 == 0o700
    spool.clear()
    spool.leave()
    assert list(tmp_path.iterdir()) == []


def test_packs_wait_for_room_and_index_files_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nightsafe.uploader.spool.HEADROOM", 0)
    spool = begin(tmp_path)
    first = bytes(2 * BATCH)
    put(spool, first)
    waiting = threading.Thread(target=put, args=(spool, b"more"), daemon=True)
    waiting.start()
    time.sleep(0.2)
    assert [item.name for item in spool.items()] == [sha(first)]
    put(spool, b"index", ObjectKind.INDEX)
    os.unlink(spool.items()[0].path)
    waiting.join(10)
    assert sha(b"more") in {item.name for item in spool.items()}
    spool.leave()


@pytest.mark.parametrize(
    ("error", "kind"), [(QuotaError("full"), QuotaError), (ValueError("odd"), StorageError)]
)
def test_an_error_reaches_every_process(
    tmp_path: Path, error: Exception, kind: type[Exception]
) -> None:
    spool = begin(tmp_path)
    spool.note_trouble(error)
    with pytest.raises(kind, match=str(error)):
        put(Spool(spool.folder, -1, BATCH), b"x")
    spool.leave()


def test_packs_of_the_dead_are_taken_over_and_their_index_files_are_not(tmp_path: Path) -> None:
    dead = begin(tmp_path)
    pack = put(dead, b"pack")
    put(dead, b"index", ObjectKind.INDEX)
    Path(dead.folder, "half.part").write_bytes(b"ha")
    dead.leave()
    heir = begin(tmp_path)
    later = put(heir, b"later")
    assert [item.name for item in heir.items()] == [pack, later]
    assert os.listdir(tmp_path) == [os.path.basename(heir.folder)]
    heir.leave()


def test_the_living_are_left_alone(tmp_path: Path) -> None:
    code = (
        "import sys, time; from nightsafe.uploader.spool import Spool; "
        "from nightsafe.backend.base import ObjectKind; "
        f"spool = Spool.begin(sys.argv[1], batch={BATCH}); "
        "spool.put(ObjectKind.DATA, 'a' * 64, b'x'); print('ready', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE
    ) as living:
        assert living.stdout is not None
        living.stdout.readline()
        mine = begin(tmp_path)
        assert mine.items() == []
        mine.leave()
        living.kill()
        living.wait()
    heir = begin(tmp_path)
    assert [item.name for item in heir.items()] == ["a" * 64]
    heir.leave()


def test_without_room_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: real._replace(free=LEAST_ROOM - 1))
    assert Spool.begin(str(tmp_path), batch=BATCH) is None
    monkeypatch.setattr(shutil, "disk_usage", lambda path: real._replace(free=LEAST_ROOM))
    assert begin(tmp_path, batch=1 << 40).batch == LEAST_ROOM // 4
    blocked = tmp_path / "file"
    blocked.write_text("x")
    assert Spool.begin(str(blocked / "below"), batch=BATCH) is None
