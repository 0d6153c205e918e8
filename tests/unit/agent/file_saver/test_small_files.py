"""Small files in one call: the same as one after the other, and nothing special slips through."""

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nightsafe.chunker.chunker import MIN_SIZE
from nightsafe.crypto import sha256
from nightsafe.errors import DamagedError
from nightsafe.file_saver import small_files as gather
from nightsafe.file_saver.blob_set import BlobSet
from nightsafe.file_saver.worker import JobResult, Worker, WorkerSetup
from nightsafe.fs.lstat import lstat_all
from nightsafe.packer.blob_sealer import BlobSealer
from nightsafe.packer.open_packs import OpenPacks
from nightsafe.repofile import pack
from nightsafe.repofile.pack import BlobKind
from nightsafe.repository.repository import Repository
from nightsafe.scanner.lister import list_folder

from tests.support.agent.extensions import needs
from tests.support.agent.native_uses import load
from tests.support.agent.trees import make_mixed_tree, set_xattr

needs_gather = needs("small_files")


@pytest.fixture
def worker(repository: Repository) -> Callable[[], Worker]:
    """Makes workers that store nothing, each with nothing known."""

    def make() -> Worker:
        setup = WorkerSetup(
            storage=repository.storage,
            master=repository.master,
            config=repository.config,
            known=BlobSet(),
            dry_run=True,
        )
        return Worker(setup)

    return make


def outcome(worker: Worker, folder: Path) -> tuple[object, ...]:
    """What a worker finds in a folder, and what it would store, its order aside."""
    found = worker.entries(list_folder(os.fsencode(folder)), b"")
    packs, tail = worker.finish()
    headers = b"".join(header for _, header, _ in packs) + tail.header
    ids = sorted(blob.id for blob in pack.decode_entries(headers))
    plain = sorted((b.id, b.plain_length) for b in pack.decode_entries(headers))
    return (
        b",".join(found.parts),
        [name for _, name, _ in found.folders],
        [name for _, name, *_ in found.large],
        found.problems,
        found.done,
        found.added,
        found.fingerprint,
        ids,
        plain,
    )


@needs_gather
def test_the_same_is_found_one_way_and_the_other(
    worker: Callable[[], Worker], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = tmp_path / "mixed"
    make_mixed_tree(top)
    for number in range(300):
        path = top / f"more-{number:03}"
        path.write_bytes(os.urandom(number) if number % 3 else b"text " * number)
        os.utime(path, ns=(0, (number - 150) * 1_234_567_891))
        os.chmod(path, 0o4000 + number % 512)
    (top / "at-the-edge").write_bytes(bytes(MIN_SIZE))
    (top / "beyond-the-edge").write_bytes(os.urandom(MIN_SIZE + 1))
    set_xattr(top / "more-007", "user.colour", b"brass")
    fast = outcome(worker(), top)
    with monkeypatch.context() as patch:
        patch.setattr(sha256, "digests", sha256.portable_digests)
        assert fast == outcome(worker(), top)
    monkeypatch.setattr(gather, "native", None)
    assert fast == outcome(worker(), top)


names = st.binary(min_size=1, max_size=12).filter(
    lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b"..")
)
times = st.integers(-(2**33) * 10**9, 2**33 * 10**9)


@needs_gather
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.dictionaries(names, st.tuples(st.binary(max_size=300), times), max_size=8))
def test_names_contents_and_times_of_any_kind(
    worker: Callable[[], Worker],
    tmp_path_factory: pytest.TempPathFactory,
    files: dict[bytes, tuple[bytes, int]],
) -> None:
    top = tmp_path_factory.mktemp("files")
    for name, (content, time) in files.items():
        path = os.path.join(os.fsencode(top), name)
        with open(path, "wb") as file:
            file.write(content)
        os.utime(path, ns=(0, time))
    with pytest.MonkeyPatch.context() as patch:
        fast = outcome(worker(), top)
        patch.setattr(gather, "native", None)
        assert fast == outcome(worker(), top)


@needs_gather
def test_packs_are_closed_when_they_are_full(
    worker: Callable[[], Worker], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pack, "PACK_SIZE", 20_000)
    for number in range(40):
        (tmp_path / f"{number}").write_bytes(os.urandom(3_000))
    busy = worker()
    found = busy.entries(list_folder(os.fsencode(tmp_path)), b"")
    packs, tail = busy.finish()
    assert found.added == [40, 40 * 3_000]
    *full, last = sorted((size for _, _, size in packs), reverse=True)
    assert all(20_000 <= size < 24_000 for size in full)
    assert 10_000 < last < 24_000  # the larger of two open ones that did not go into one
    counts = [len(list(pack.decode_entries(header))) for _, header, _ in packs]
    assert sum(counts) + tail.blobs == 40


def small_files(repository: Repository) -> tuple[gather.SmallFiles, OpenPacks, BlobSealer]:
    by = BlobSealer(repository.new_sealer(), compresses=True)
    return gather.SmallFiles(BlobSet(), by), OpenPacks(BlobKind.DATA, by), by


@needs_gather
def test_it_stops_at_a_file_that_is_not_what_it_was(repository: Repository, tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).write_text(name)
    entries = list_folder(os.fsencode(tmp_path))
    seen = [
        (n, p, s) for (n, p), s in zip(entries, lstat_all([p for _, p in entries]), strict=True)
    ]
    (tmp_path / "b").write_text("longer than it was")
    small, packs, _ = small_files(repository)
    found = JobResult()
    assert small.gather(seen, 0, packs, found) == (1, None)  # type: ignore[arg-type]
    assert found.done == [(b"a", "new", 1)]
    (tmp_path / "c").unlink()
    assert small.gather(seen, 2, packs, found) == (2, None)  # type: ignore[arg-type]
    assert found.added == [1, 1]


@needs_gather
def test_what_does_not_open_again_is_an_error(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    path = os.fsencode(tmp_path / "a")
    (status,) = lstat_all([path])
    by = BlobSealer(repository.new_sealer(), compresses=True)
    by.sealer = SimpleNamespace(put=lambda *_: None)  # type: ignore[assignment]
    packs = OpenPacks(BlobKind.DATA, by)
    small = gather.SmallFiles(BlobSet(), by)
    with pytest.raises(DamagedError, match="memory or processor may be faulty"):
        small.gather([(b"a", path, status)], 0, packs, JobResult())  # type: ignore[list-item]


@needs_gather
def test_it_refuses_what_it_does_not_understand(repository: Repository) -> None:
    small, packs, _ = small_files(repository)
    assert small.gather([(b"a", b"/a", os.lstat("/"))], 0, packs, JobResult()) == (0, None)
    for seen in ([(b"a",)], ["a"], [("a", "/a", lstat_all([b"/"])[0])]):
        with pytest.raises(TypeError, match="name, a path and a Status"):
            small.gather(seen, 0, packs, JobResult())  # type: ignore[arg-type]


@needs_gather
def test_what_fails_is_not_followed_by_further_questions() -> None:
    """An error of a pack is raised as it is; nothing is asked of Python on top of it."""
    asked = []

    class Broken:
        @property
        def view(self) -> memoryview:
            raise OSError("no view")

        def __getattr__(self, name: str) -> object:
            asked.append(name)
            raise AttributeError(name)

    gatherer = load("small_files").Gatherer(memoryview(bytearray(100)), *[print] * 7, True)
    with pytest.raises(OSError, match="no view"):
        gatherer.gather([], 0, [Broken(), Broken()], 1, 1, [])
    assert asked == []


@needs_gather
def test_packs_are_held_on_to_while_others_have_their_turn(tmp_path: Path) -> None:
    path = tmp_path / "one"
    path.write_bytes(b"content")
    (status,) = lstat_all([os.fsencode(path)])
    packs: list[SimpleNamespace] = []
    views = [memoryview(bytearray(1000)) for _ in range(2)]
    packs += [SimpleNamespace(view=one, size=0, count=0, header=bytearray()) for one in views]

    def claim(_: bytes) -> bool:
        packs.clear()
        return True

    def put(_view: memoryview, start: int, *_: object) -> int:
        return start + 39

    given = (claim, put, None, bytes, print, lambda _: ("", ""), lambda *_: ("", ""), True)
    gatherer = load("small_files").Gatherer(memoryview(bytearray(100)), *given)
    seen = [(b"one", os.fsencode(path), status)]
    stop, _, blobs, size = gatherer.gather(seen, 0, packs, 1000, 1000, [])
    assert (stop, blobs, size, packs) == (1, 1, 7, [])
