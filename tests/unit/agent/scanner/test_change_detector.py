"""Comparing folders with what they were: alone and in threads, to the same end."""

import os
import threading
from pathlib import Path

import pytest
from nightsafe.crypto.seal_key import SealKey
from nightsafe.filters.entry_filter import EntryFilter
from nightsafe.filters.exclude import Excluder, ExcludeRules
from nightsafe.scanner.change_detector import probe_all
from nightsafe.scanner.fingerprint import Fingerprint
from nightsafe.scanner.lister import (
    SLICE_ENTRIES,
    ChangeDetector,
    Lister,
    Probe,
    Unchanged,
    list_folder,
)

PRINT = Fingerprint(SealKey(b"e" * 32, b"k" * 16, b"r" * 16))


@pytest.fixture
def folders(tmp_path: Path) -> list[bytes]:
    """Two hundred folders with a few files and two folders each."""
    made = []
    for number in range(200):
        folder = tmp_path / f"{number:03d}"
        for name in ("below", "Beneath"):
            (folder / name).mkdir(parents=True)
        for name in ("a.txt", "b.o", "c"):
            (folder / name).write_text(name * number)
        made.append(os.fsencode(folder))
    return made


def print_of(path: bytes, entry_filter: Excluder | None = None) -> bytes:
    return PRINT.of(Lister(entry_filter).stat_entries(list_folder(path)))


@pytest.mark.parametrize("threads", [0, 1, 3])
@pytest.mark.parametrize("patterns", [(), ("nothing like it",), ("*.o",), ("*", "!*.o")])
def test_what_changed_is_found(
    folders: list[bytes], threads: int, patterns: tuple[str, ...]
) -> None:
    """However many look, and whether names alone decide or each entry has to be asked about."""
    entry_filter = Excluder(ExcludeRules(patterns=patterns)) if patterns else None
    todo = [(n, path, print_of(path, entry_filter)) for n, path in enumerate(folders)]
    changed = set(range(0, 200, 7))
    for number in changed:
        with open(os.path.join(folders[number], b"c" if "*" not in patterns else b"b.o"), "a") as f:
            f.write("more")
    told: list[int] = []
    same: Unchanged = []

    def deal(numbers: list[int], found: Unchanged) -> None:
        told.extend(numbers)
        same.extend(found)

    probe_all(todo, ChangeDetector(entry_filter, PRINT), deal, threads=threads)
    assert sorted(told) == list(range(200))
    assert {number for number, _ in same} == set(range(200)) - changed
    below = [] if "*" in patterns else [b"Beneath", b"below"]
    assert all(names == below for _, names in same)


@pytest.mark.parametrize("threads", [0, 2])
def test_what_is_found_below_is_looked_at_too(folders: list[bytes], threads: int) -> None:
    todo: list[Probe] = [(n, path, print_of(path)) for n, path in enumerate(folders)]
    paths, seen = dict(enumerate(folders)), []

    def deal(numbers: list[int], same: Unchanged) -> None:
        for number, names in same:
            seen.append(number)
            for name in names:
                inner = os.path.join(paths[number], name)
                paths[len(paths)] = inner
                todo.append((len(paths) - 1, inner, print_of(inner)))

    probe_all(todo, ChangeDetector(None, PRINT), deal, threads=threads)
    assert sorted(seen) == list(range(600))
    assert not todo


def test_a_folder_of_very_many_entries_and_one_that_is_gone(tmp_path: Path) -> None:
    for number in range(SLICE_ENTRIES + 5):
        (tmp_path / str(number)).touch()
    path = os.fsencode(tmp_path)
    entries = list_folder(path)
    slices = [entries[:SLICE_ENTRIES], entries[SLICE_ENTRIES:]]
    expected = PRINT.of_slices([PRINT.of(Lister(None).stat_entries(part)) for part in slices])
    given = [(1, path, expected), (2, path + b"/none", expected), (3, path, b"x" * 16)]
    assert ChangeDetector(None, PRINT).probe(given) == [(1, [])]


def test_what_goes_wrong_in_a_thread_is_said_where_it_was_asked_for(folders: list[bytes]) -> None:
    before = set(threading.enumerate())

    class Failing(EntryFilter):
        def __call__(self, path: bytes, name: bytes, status: object) -> bool:
            raise MemoryError(path)

    todo = [(n, path, b"") for n, path in enumerate(folders)]
    with pytest.raises(MemoryError):
        probe_all(todo, ChangeDetector(Failing(), PRINT), lambda _, __: None, threads=2)
    assert set(threading.enumerate()) == before
