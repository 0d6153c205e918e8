"""Worker processes: the same result as alone, and clear ends when they or the parent are killed."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from nightsafe.archiver import archiver, folder_tracker
from nightsafe.archiver.backup import BackupOptions, backup
from nightsafe.backend.base import ObjectKind
from nightsafe.crypto.sealer_portable import PortableSealer
from nightsafe.errors import DamagedError, QuotaError, UnreachableError, WorkerError
from nightsafe.file_saver import job_runner, large_files, worker
from nightsafe.file_saver.node_json import encode_entry, encode_file
from nightsafe.maintenance.check import check
from nightsafe.progress import Advanced
from nightsafe.repofile.tree import encode_node
from nightsafe.repository.repository import Repository
from nightsafe.scanner.lister import Problem
from nightsafe.scanner.sources import node_of

from tests.support.agent.trees import make_mixed_tree, set_xattr
from tests.unit.agent.archiver.test_backup import names, run, stored
from tests.unit.agent.archiver.test_backup_faults import look_in_python
from tests.unit.agent.conftest import PASSPHRASE, copy_vault, reopen


@pytest.fixture
def mixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One of everything, named from the current folder."""
    make_mixed_tree(tmp_path / "mixed")
    (tmp_path / "mixed" / "larger.bin").write_bytes(os.urandom(9_000_000))
    monkeypatch.chdir(tmp_path)
    return Path("mixed")


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers start before anything else is done."""
    monkeypatch.setattr(archiver, "INLINE_SECONDS", -1.0)


def referenced(repository: Repository) -> set[str]:
    """Names of the packs that some index file lists."""
    packs = reopen(repository).index_files()
    return {pack.id.hex() for _, contents in packs for pack in contents or ()}


def test_workers_make_the_same_tree(
    repository: Repository, mixed: Path, vault: Repository, tmp_path: Path, at_once: None
) -> None:
    from nightsafe.backend.local import LocalBackend

    alone = run(repository, mixed, workers=0)
    other = copy_vault(vault, LocalBackend(str(tmp_path / "other")))
    several = run(other, mixed, workers=3)
    assert several.tree_id == alone.tree_id
    assert several.count.new == alone.count.new
    assert several.count.bytes == alone.count.bytes
    assert check(reopen(other), read_data=True).errors == []
    assert referenced(other) == names(other, ObjectKind.DATA)
    again = run(reopen(other), mixed, workers=2)
    assert (again.tree_id, again.count.unchanged) == (alone.tree_id, alone.count.new)
    assert again.count.stored_bytes == 0


def test_a_very_large_file_is_worth_workers_from_the_beginning(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []

    class Noted(job_runner.PoolRunner):
        def __init__(self, setup: worker.WorkerSetup, count: int) -> None:
            started.append(count)
            super().__init__(setup, count)

    monkeypatch.setattr(archiver, "PoolRunner", Noted)
    file = tmp_path / "large.bin"
    file.write_bytes(os.urandom(9_000_000))
    alone = run(repository, file, workers=2)
    assert started == []
    monkeypatch.setattr(large_files, "MUCH", 8_000_000)
    with file.open("r+b") as again:
        again.write(b"changed")
    several = run(reopen(repository), file, workers=2)
    assert started == [2]
    assert several.tree_id != alone.tree_id
    assert check(reopen(repository), read_data=True).errors == []


def test_folders_of_many_entries_are_dealt_with_in_slices(
    repository: Repository, mixed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(repository, mixed)
    for module in (worker, folder_tracker):
        monkeypatch.setattr(module, "SLICE_ENTRIES", 3)
    sliced = run(reopen(repository), mixed, hostname="another")
    assert sliced.tree_id == whole.tree_id
    again = run(reopen(repository), mixed, hostname="another")
    assert (again.tree_id, again.count.new) == (whole.tree_id, 0)
    (mixed / "small.txt").write_text("changed\n")
    (mixed / "empty-dir" / "one-more").write_text("new")
    changed = run(reopen(repository), mixed, hostname="another")
    assert (changed.count.new, changed.count.changed) == (1, 1)
    assert stored(repository)[b"/mixed/empty-dir/one-more"].size == 3


def test_a_change_far_down_reaches_the_root(repository: Repository, mixed: Path) -> None:
    first = run(repository, mixed)
    leaf = next(mixed.rglob("leaf"))
    leaf.write_text("other")
    second = run(reopen(repository), mixed)
    assert second.tree_id != first.tree_id
    assert (second.count.changed, second.count.new) == (1, 0)
    assert stored(repository)[b"/" + os.fsencode(leaf)].size == 5


def refuse_to_open(monkeypatch: pytest.MonkeyPatch, ending: bytes) -> None:
    real = os.open

    def refuse(path: object, *args: object, **more: object) -> int:
        if isinstance(path, bytes) and path.endswith(ending):
            raise PermissionError(13, "Permission denied")
        return real(path, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refuse)


def test_what_could_not_be_read_is_said_every_time(
    repository: Repository, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_in_python(monkeypatch)
    refuse_to_open(monkeypatch, b"one.txt")
    for _ in range(3):
        assert not run(reopen(repository), source).is_complete


def test_the_progress_of_unchanged_folders_is_told_to_the_end(
    repository: Repository, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those above a folder that has to be looked at again are complete only after it."""
    (source / "inner" / "refused.txt").write_text("no")
    look_in_python(monkeypatch)
    refuse_to_open(monkeypatch, b"refused.txt")
    run(repository, source)
    told: list[int] = []

    def watch(event: object) -> None:
        if isinstance(event, Advanced):
            told.append(event.bytes)

    again = reopen(repository)
    report = backup(again, [os.fsencode(source)], BackupOptions(workers=0), watch)
    assert report.count.unchanged == 3
    assert sum(told) == report.count.bytes > 0


def test_a_lost_snapshot_makes_the_cache_worthless(
    repository: Repository, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(source.parent)
    source = Path(source.name)
    first = run(repository, source)
    repository.storage.remove(ObjectKind.SNAPSHOT, first.snapshot_id)
    second = run(reopen(repository), source)
    assert (second.parent_id, second.tree_id) == ("", first.tree_id)
    assert second.count.new == 3


def test_a_killed_worker_is_a_clear_error(
    repository: Repository, mixed: Path, at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with monkeypatch.context() as patch:
        patch.setattr(worker.Worker, "pieces", die)
        with pytest.raises(WorkerError, match="ended unexpectedly"):
            run(repository, mixed, workers=2)
    assert names(repository, ObjectKind.LOCK) == set()
    assert names(repository, ObjectKind.SNAPSHOT) == set()
    assert run(reopen(repository), mixed, workers=2).is_complete


@pytest.mark.parametrize("error", [QuotaError, UnreachableError, DamagedError, ZeroDivisionError])
def test_an_error_in_a_worker_is_the_backups_error(
    repository: Repository,
    mixed: Path,
    at_once: None,
    monkeypatch: pytest.MonkeyPatch,
    error: type[Exception],
) -> None:
    def fail(*_: object) -> None:
        raise error("reason")

    monkeypatch.setattr(worker.Worker, "pieces", fail)
    expected = WorkerError if error is ZeroDivisionError else error
    with pytest.raises(expected, match="reason"):
        run(repository, mixed, workers=2)


def test_faulty_memory_is_noticed(
    repository: Repository, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = PortableSealer.seal_into

    def flip(self: PortableSealer, target: memoryview, start: int, plain: bytes) -> int:
        end = real(self, target, start, plain)
        target[start + 17] ^= 4
        return end

    monkeypatch.setattr(PortableSealer, "seal_into", flip)
    monkeypatch.setattr("nightsafe.file_saver.worker.Sealer", PortableSealer)
    with pytest.raises(DamagedError, match="memory or processor"):
        run(repository, source)


def test_fast_nodes_are_the_same(mixed: Path) -> None:
    set_xattr(mixed / "large.bin", "user.one", b"1")
    (mixed / "folder with an attribute").mkdir(mode=0o7)
    set_xattr(mixed / "folder with an attribute", "user.one", b"1")
    seen = 0
    for folder, folders, files in os.walk(os.fsencode(mixed)):
        for name in folders:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            problems: list[Problem] = []
            slow = encode_node(node_of(name, path, status)._replace(subtree=b""))
            whole = encode_entry(name, path, status, problems) + b'"}'
            assert (whole.decode(), problems) == (slow, [])
            seen += 1
        for name in files:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            if os.path.isfile(path) and not os.path.islink(path):
                node = node_of(name, path, status).with_content([bytes(32)], status.st_size)
                ids = f'["{"00" * 32}"]'
                size, problems = status.st_size, []
                fast = encode_file(name, path, status, size=size, ids=ids, problems=problems)
                assert (fast, problems) == (encode_node(node), [])
                seen += 1
    assert seen > 20


KILLED = """
import os, sys
from nightsafe.archiver import archiver
from nightsafe.repofile import pack
from nightsafe.archiver.backup import BackupOptions, backup
from nightsafe.backend.local import LocalBackend
from nightsafe.repository.repository import Repository
archiver.INLINE_SECONDS = -1.0
pack.PACK_SIZE = 150_000
repository = Repository.open(LocalBackend(sys.argv[1]), sys.argv[2])
print("go", flush=True)
backup(repository, [os.fsencode(sys.argv[3])], BackupOptions(workers=2))
"""


def children_of(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return list(map(int, listed.read_text().split())) if listed.exists() else []


def test_kills_at_random_lose_nothing_and_send_nothing_twice(
    repository: Repository, tmp_path: Path
) -> None:
    """Parent or a worker is killed ten times; what arrived is used by the next run."""
    seed = random.randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    source = tmp_path / "source"
    source.mkdir()
    for number in range(400):
        (source / f"{number:03}").write_bytes(chance.randbytes(30_000))
    place = repository.storage.location
    for _ in range(10):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, place, PASSPHRASE, str(source)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.2 + chance.random() * 0.3)
        workers = children_of(process.pid)
        victim = chance.choice([process.pid, *workers])
        if process.poll() is None:
            os.kill(victim, signal.SIGKILL)
        process.wait(timeout=20)
        process.stdout.close()
        wait_until_gone(workers)
    before = names(repository, ObjectKind.DATA)
    report = run(reopen(repository), source)
    assert report.is_complete
    assert referenced(repository) == names(repository, ObjectKind.DATA)
    assert before <= referenced(repository)
    checked = check(reopen(repository), read_data=True)
    assert checked.errors == []
    reopened = reopen(repository)
    total = [blob.id for _, c in reopened.index_files() for p in c or () for blob in p.blobs]
    assert len(total) - len(set(total)) <= 2, "nothing is stored twice"


def wait_until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}/cmdline").exists() and not is_zombie(pid) for pid in pids):
        assert time.monotonic() < deadline, "a worker outlived its parent"
        time.sleep(0.02)


def is_zombie(pid: int) -> bool:
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True


def test_one_large_file_alone_is_worth_workers(
    repository: Repository, tmp_path: Path, at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "large").write_bytes(os.urandom(30_000_000))
    started = []
    real = job_runner.PoolRunner.__init__

    def count(self: job_runner.PoolRunner, setup: worker.WorkerSetup, number: int) -> None:
        started.append(number)
        real(self, setup, number)

    monkeypatch.setattr(job_runner.PoolRunner, "__init__", count)
    assert run(repository, tmp_path / "large", workers=2).is_complete
    assert started == [2]
    assert check(reopen(repository), read_data=True).errors == []


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_all_workers_and_takes_the_lock_away(
    repository: Repository, tmp_path: Path, sign: int
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for number in range(600):
        (source / f"{number:03}").write_bytes(os.urandom(400_000))
    command = "from nightsafe import cli; from nightsafe.archiver import archiver; "
    command += "archiver.INLINE_SECONDS = -1.0; "
    command += "raise SystemExit(cli.main())"
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            command,
            "-r",
            repository.storage.location,
            "backup",
            "--workers",
            "2",
            str(source),
        ],
        env=os.environ | {"NIGHTSAFE_PASSWORD": PASSPHRASE},
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 20
    # Python swallows what a signal raises in the very moment of a fork, so both must be there.
    while len(workers := children_of(process.pid)) < 2:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    time.sleep(0.1)
    process.send_signal(sign)
    assert process.wait(timeout=20) == 130
    wait_until_gone(workers)
    assert names(repository, ObjectKind.LOCK) == set()
    assert names(repository, ObjectKind.SNAPSHOT) == set()
