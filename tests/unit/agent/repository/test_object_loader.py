"""Snapshots and index files: several at a time, and once only."""

import hashlib
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from nightsafe.archiver.backup import backup
from nightsafe.backend.base import CONNECTIONS, ObjectKind
from nightsafe.backend.rest import RestBackend
from nightsafe.errors import UnreachableError
from nightsafe.maintenance.check import check
from nightsafe.repofile.snapshot import Snapshot
from nightsafe.repository.object_cache import ObjectCache
from nightsafe.repository.object_loader import remove_all
from nightsafe.repository.repository import Repository
from nightsafe.workers.threads import several

from tests.support.agent.rest_server import RestServer, connect_string
from tests.unit.agent.conftest import copy_vault, reopen

COUNT = 30


@pytest.fixture
def remote(server: RestServer, vault: Repository) -> Iterator[Repository]:
    """Thirty snapshots on a server."""
    storage = RestBackend(connect_string(server), patience=0)
    made = copy_vault(vault, storage)
    for number in range(COUNT):
        text = Snapshot(time=number, tree=bytes(32), paths=("/p",)).encode()
        made.save_text(ObjectKind.SNAPSHOT, text)
    server.requests.clear()
    yield made
    storage.close()


def asked(server: RestServer, kind: str = "snapshots") -> list[str]:
    """Objects of a kind that were asked for since this was last asked."""
    seen, server.requests[:] = list(server.requests), []
    lead = f"{kind}/"
    return [p for m, p in seen if m == "GET" and p.startswith(lead) and p != lead]


def kept(kind: ObjectKind = ObjectKind.SNAPSHOT) -> dict[str, Path]:
    folder = Path(os.environ["NIGHTSAFE_CACHE_DIR"], "vaults")
    return {path.name: path for path in folder.glob(f"*/{kind.value}/*")}


# Several at a time


@pytest.mark.parametrize("threads", [0, 1, 2, 7, 50])
@pytest.mark.parametrize("count", [0, 1, 2, 40])
def test_all_are_done_once(threads: int, count: int) -> None:
    done = dict(several(lambda one: one * one, range(count), threads=threads))
    assert done == {one: one * one for one in range(count)}


def test_as_many_at_a_time_as_there_are_threads() -> None:
    together = threading.Barrier(4, timeout=60)
    assert len(list(several(lambda _: together.wait(), range(20), threads=4))) == 20


def test_no_more_is_begun_than_somebody_takes() -> None:
    begun: list[int] = []
    results = several(begun.append, range(1000), threads=3)
    for _ in range(5):
        next(results)
    results.close()  # type: ignore[attr-defined]
    assert len(begun) <= 5 + 3 * 3


@pytest.mark.parametrize("threads", [1, 4])
def test_an_error_is_raised_and_ends_it(threads: int) -> None:
    def work(one: int) -> int:
        if one == 3:
            raise UnreachableError("gone")
        return one

    with pytest.raises(UnreachableError, match="gone"):
        list(several(work, range(100), threads=threads))


# From a server


def test_snapshots_are_fetched_several_at_a_time(server: RestServer, remote: Repository) -> None:
    together = threading.Barrier(CONNECTIONS // 2, timeout=60)

    class Meeting(RestBackend):
        def load(self, kind: ObjectKind, name: str, **part: int | None) -> bytes:
            together.wait()
            return super().load(kind, name)

    storage = Meeting(connect_string(server), patience=0)
    count = COUNT - COUNT % together.parties
    names = [listing.name for listing in storage.list(ObjectKind.SNAPSHOT)][:count]
    assert len(reopen(remote, storage).read_snapshots(names).sound) == count
    storage.close()


def test_objects_are_removed_several_at_a_time(server: RestServer, remote: Repository) -> None:
    together = threading.Barrier(CONNECTIONS // 2, timeout=60)

    class Meeting(RestBackend):
        def remove(self, kind: ObjectKind, name: str) -> None:
            together.wait()
            super().remove(kind, name)

    storage = Meeting(connect_string(server), patience=0)
    names = [listing.name for listing in storage.list(ObjectKind.SNAPSHOT)]
    names = [*names[: CONNECTIONS - 1], "ab" * 32]
    removed = dict(remove_all(reopen(remote, storage), ObjectKind.SNAPSHOT, names))
    assert [removed[name] for name in names] == [True] * (CONNECTIONS - 1) + [False]
    assert sum(name.startswith("snapshots/") for name in server.objects) == COUNT - CONNECTIONS + 1
    storage.close()


def test_what_was_read_once_is_not_asked_for_again(server: RestServer, remote: Repository) -> None:
    first = remote.load_snapshots()
    assert len(asked(server)) == COUNT
    assert reopen(remote).load_snapshots() == first
    assert asked(server) == []
    assert [one.time for one in first.sound] == list(range(COUNT))


def test_what_is_kept_is_sealed_and_private(server: RestServer, remote: Repository) -> None:
    remote.load_snapshots()
    files = kept()
    assert {f"snapshots/{name}": path.read_bytes() for name, path in files.items()} == {
        name: data for name, data in server.objects.items() if name.startswith("snapshots/")
    }
    for path in files.values():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(path.parent.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("harm", ["torn", "other", "empty", "a folder", "a link"])
def test_what_became_of_a_file_is_never_taken_for_the_object(
    server: RestServer, remote: Repository, harm: str, tmp_path: Path
) -> None:
    first = remote.load_snapshots()
    (name, path), (_, other) = list(kept().items())[:2]
    data = path.read_bytes()
    path.unlink()
    if harm == "a folder":
        path.mkdir()
    elif harm == "a link":
        (tmp_path / "target").write_bytes(data)
        path.symlink_to(tmp_path / "target")
    else:
        path.write_bytes({"torn": data[:9], "other": other.read_bytes(), "empty": b""}[harm])
    asked(server)
    assert reopen(remote).load_snapshots() == first
    assert asked(server) == [f"snapshots/{name}"]


def test_what_the_vault_has_no_more_is_kept_no_more(server: RestServer, remote: Repository) -> None:
    gone = [one.id for one in remote.load_snapshots().sound[:5]]
    for name in gone:
        del server.objects[f"snapshots/{name}"]
    reopen(remote).load_snapshots()
    assert kept().keys().isdisjoint(gone)
    assert len(kept()) == COUNT - 5


@pytest.mark.parametrize("answer", [b"[]", b"null"])
def test_a_list_that_lacks_what_is_there_costs_nothing(
    server: RestServer, remote: Repository, answer: bytes
) -> None:
    remote.load_snapshots()
    server.fail(method="GET", path="snapshots/", change=lambda _: answer)
    assert reopen(remote).load_snapshots().sound == []
    assert len(kept()) == COUNT


def test_damage_on_the_server_is_found_by_check(server: RestServer, remote: Repository) -> None:
    name = remote.load_snapshots().sound[0].id
    server.objects[f"snapshots/{name}"] = b"rotten"
    assert reopen(remote).load_snapshots().damaged == []
    assert any(name[:8] in error for error in check(reopen(remote)).errors)


def test_a_damaged_answer_is_asked_for_again_and_not_kept(
    server: RestServer, remote: Repository
) -> None:
    names = [listing.name for listing in remote.storage.list(ObjectKind.SNAPSHOT)]

    def damaged(body: bytes) -> bytes:
        return body[:-1] + bytes([body[-1] ^ 1])

    server.fail(method="GET", path=names[0], change=damaged, times=1)
    server.fail(method="GET", path=names[1], change=damaged, times=99)
    found = remote.load_snapshots()
    assert found.damaged == [names[1]]
    assert kept().keys() == set(names) - {names[1]}


def test_index_files_are_kept_too(server: RestServer, vault: Repository, source: Path) -> None:
    storage = RestBackend(connect_string(server), patience=0)
    made = copy_vault(vault, storage)
    backup(reopen(made), [os.fsencode(source)])
    asked(server)
    for expected in (1, 0):
        again = reopen(made)
        assert again.load_index() == []
        assert again.index.packs
        assert len(asked(server, "index")) == expected
    assert len(kept(ObjectKind.INDEX)) == 1
    storage.close()


@pytest.mark.parametrize("trouble", ["no home", "a file in the way", "read only"])
def test_without_a_cache_everything_works(
    server: RestServer,
    remote: Repository,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    trouble: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    if trouble == "no home":
        for name in ("NIGHTSAFE_CACHE_DIR", "HOME", "XDG_CACHE_HOME"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr("os.path.expanduser", lambda path: path)
    elif trouble == "a file in the way":
        (tmp_path / "cache-dir").touch()
    else:
        monkeypatch.setenv("NIGHTSAFE_CACHE_DIR", "/proc/nightsafe")
    before = sorted(tmp_path.iterdir())
    for _ in range(2):
        asked(server)
        assert len(reopen(remote).load_snapshots().sound) == COUNT
        assert len(asked(server)) == COUNT
    assert sorted(tmp_path.iterdir()) == before


def test_a_folder_is_read_where_it_is(repository: Repository) -> None:
    repository.save_text(ObjectKind.SNAPSHOT, Snapshot(0, bytes(32), ("/p",)).encode())
    assert len(repository.load_snapshots().sound) == 1
    assert not kept()


# The cache itself


def put(cache: ObjectCache, data: bytes) -> str:
    name = hashlib.sha256(data).hexdigest()
    cache.put(name, data)
    return name


def test_the_cache_is_bounded(tmp_path: Path) -> None:
    folder = str(tmp_path / "v" / "snapshots")
    cache = ObjectCache(ObjectKind.SNAPSHOT, folder, most=100, largest=60)
    small, large, more = put(cache, b"a" * 60), put(cache, b"b" * 61), put(cache, b"c" * 41)
    assert cache.names == {small}
    cache = ObjectCache(ObjectKind.SNAPSHOT, folder, most=100, largest=60)
    assert (cache.get(small), cache.get(large), cache.get(more)) == (b"a" * 60, None, None)
    cache.drop([small, large])
    assert cache.names == frozenset()
    assert cache.get(put(cache, b"c" * 41)) == b"c" * 41


def test_only_what_its_name_says_is_kept(tmp_path: Path) -> None:
    cache = ObjectCache.below(str(tmp_path), ObjectKind.SNAPSHOT)
    cache.put("ab" * 32, b"something else")
    cache.put("../escape", b"x")
    assert cache.names == frozenset()


def test_what_a_killed_program_left_is_cleared_away(tmp_path: Path) -> None:
    name = put(ObjectCache.below(str(tmp_path), ObjectKind.SNAPSHOT), b"a")
    old, new = (tmp_path / "snapshots" / f"{name}.{end}" for end in ("0123", "4567"))
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    cache = ObjectCache.below(str(tmp_path), ObjectKind.SNAPSHOT)
    assert cache.names == {name}
    other = put(cache, b"b")
    assert cache.names == {name, other}
    assert (old.exists(), new.exists()) == (False, True)
