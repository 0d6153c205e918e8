"""What stays out of a backup: by pattern, size, marker, file system."""

import os
import pickle
from pathlib import Path

import pytest
from nightsafe.filters.exclude import (
    CACHE_TAG,
    DEFAULT_EXCLUDES,
    Excluder,
    ExcludeRules,
    defaults_for,
)


def wanted(excluder: Excluder, top: Path) -> set[str]:
    """Walk as a backup does: relative names of what is wanted."""
    found, todo = set(), [os.fsencode(top)]
    while todo:
        folder = todo.pop()
        for name in os.listdir(folder):
            path = os.path.join(folder, name)
            if excluder(path, name, os.lstat(path)):
                found.add(os.path.relpath(os.fsdecode(path), top))
                if os.path.isdir(path) and not os.path.islink(path):
                    todo.append(path)
    return found


@pytest.fixture
def top(tmp_path: Path) -> Path:
    for name in ("src/main.c", "src/main.o", "cache/CACHEDIR.TAG", "cache/deep/x", "Big.ISO"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x" * 100)
    (tmp_path / "cache" / "CACHEDIR.TAG").write_bytes(CACHE_TAG[1] + b"\n")
    (tmp_path / "Big.ISO").write_bytes(b"x" * 5000)
    return tmp_path


ALL = {
    "src",
    "src/main.c",
    "src/main.o",
    "cache",
    "cache/CACHEDIR.TAG",
    "cache/deep",
    "cache/deep/x",
    "Big.ISO",
}

TAG = "cache/CACHEDIR.TAG"
FILES = ("src/main.c", "src/main.o", TAG, "cache/deep/x")


@pytest.mark.parametrize(
    ("rules", "left_out"),
    [
        (ExcludeRules(), set()),
        (ExcludeRules(patterns=("*.o",)), {"src/main.o"}),
        (ExcludeRules(patterns=("*.iso",)), set()),
        (ExcludeRules(caseless=("*.iso",)), {"Big.ISO"}),
        (ExcludeRules(larger_than=4999), {"Big.ISO"}),
        (ExcludeRules(larger_than=5000), set()),
        (ExcludeRules(larger_than=0), {"Big.ISO", *FILES}),
        (ExcludeRules(markers=(CACHE_TAG,)), {"cache/deep", "cache/deep/x"}),
        (ExcludeRules(markers=((b"main.c", b""),)), {"src/main.o"}),
        (ExcludeRules(markers=((b"main.c", b"other"),)), set()),
        (ExcludeRules(markers=((b"main.c", b""), (b"main.o", b""))), {"src/main.c", "src/main.o"}),
        (ExcludeRules(markers=((b"deep/x", b""),)), {"cache/deep", "cache/deep/x", TAG}),
        (ExcludeRules(one_file_system=True), set()),
    ],
)
def test_each_rule(top: Path, rules: ExcludeRules, left_out: set[str]) -> None:
    assert ALL - wanted(Excluder(rules, [os.fsencode(top)]), top) == left_out


def test_a_false_cache_tag_marks_nothing(top: Path) -> None:
    (top / "cache" / "CACHEDIR.TAG").write_bytes(b"Signature: something else")
    assert wanted(Excluder(ExcludeRules(markers=(CACHE_TAG,))), top) == ALL
    (top / "elsewhere").write_bytes(CACHE_TAG[1])
    (top / "cache" / "CACHEDIR.TAG").unlink()
    (top / "cache" / "CACHEDIR.TAG").symlink_to("../elsewhere")
    kept = wanted(Excluder(ExcludeRules(markers=(CACHE_TAG,))), top)
    assert kept == {*ALL, "elsewhere"} - {"cache/deep", "cache/deep/x"}
    (top / "elsewhere").unlink()
    (top / "cache" / "CACHEDIR.TAG").unlink()
    (top / "cache" / "CACHEDIR.TAG").mkdir()
    assert wanted(Excluder(ExcludeRules(markers=(CACHE_TAG,))), top) == ALL


def test_relative_paths_are_matched_as_absolute_ones(
    top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(top)
    excluder = Excluder(ExcludeRules(patterns=(f"{top}/src",)))
    status = os.lstat("src")
    assert not excluder(b"src", b"src", status)
    assert not excluder(b"../" + os.fsencode(top.name) + b"/src", b"src", status)
    assert excluder(b"cache", b"cache", status)
    assert excluder.excludes(b"src/main.c")
    assert not excluder.excludes(b"cache")


def test_above_a_link_files_are_looked_for_where_the_system_has_them(
    top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For patterns `..` is the folder that the shell shows, in which the link lies."""
    (top / "elsewhere").mkdir()
    (top / "elsewhere" / "link").symlink_to(top / "cache" / "deep")
    monkeypatch.chdir(top / "elsewhere" / "link")
    monkeypatch.setenv("PWD", str(top / "elsewhere" / "link"))
    status = os.lstat("x")
    same_disk = Excluder(ExcludeRules(one_file_system=True), [b".."])
    assert same_disk(b"../deep/x", b"x", status)
    assert same_disk(b"../CACHEDIR.TAG", b"CACHEDIR.TAG", status)
    marked = Excluder(ExcludeRules(markers=(CACHE_TAG,)), [b".."])
    assert not marked(b"../deep", b"deep", os.lstat("."))
    assert marked(b"../deep/x", b"x", status)
    named = Excluder(ExcludeRules(patterns=(f"{top}/elsewhere/deep",)), [b".."])
    assert not named(b"../deep", b"deep", os.lstat("."))


def test_what_is_given_by_name_is_wanted_and_asked_about_below(
    top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(top)
    status = os.lstat("Big.ISO")
    rules = ExcludeRules(patterns=("*.ISO", "src"), larger_than=10)
    excluder = Excluder(rules, [b"./Big.ISO", b"src//", b"//srv/x.ISO"])
    assert excluder(b"Big.ISO", b"Big.ISO", status)
    assert excluder(b"src", b"src", os.lstat("src"))
    assert excluder(b"/srv/x.ISO", b"x.ISO", status)
    assert not excluder(b"src/main.c", b"main.c", os.lstat("src/main.c"))  # below what fits
    assert not excluder.includes_all(b"main.c")
    listed = Excluder(rules, [b".", b"Big.ISO"])
    assert not listed(b"Big.ISO", b"Big.ISO", status)
    named_differently = Excluder(ExcludeRules(patterns=("src",)), [b"."])
    assert not named_differently(b"src", b"src-1", os.lstat("src"))


def test_a_file_of_dots_is_no_folder_above(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(top)
    (top / "...").touch()
    excluder = Excluder(ExcludeRules(patterns=("*",)), [b"..."])
    assert excluder(b"...", b"...", os.lstat("..."))


def test_absolute_sources_need_no_current_folder(
    tmp_path: Path, top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    excluder = Excluder(ExcludeRules(patterns=("*.o",)), [os.fsencode(top)])
    assert ALL - wanted(excluder, top) == {"src/main.o"}


def test_another_file_system_is_left_out_but_its_mount_point_stays(tmp_path: Path) -> None:
    inside, outside = os.fsencode(tmp_path), b"/proc"
    excluder = Excluder(ExcludeRules(one_file_system=True), [b"/", inside])
    mount = os.lstat(outside)
    if mount.st_dev == os.lstat("/").st_dev:
        # A container may have none of its own; there is no other that is always there.
        pytest.skip("/proc is not a file system of its own here")
    assert excluder(outside, b"proc", mount)
    assert not excluder(b"/proc/uptime", b"uptime", os.lstat("/proc/uptime"))
    assert not excluder(b"/proc/self", b"sys", os.lstat("/proc/sys"))
    assert excluder(inside, b"x", os.lstat(inside))


def test_it_reaches_other_processes(top: Path) -> None:
    rules = ExcludeRules(patterns=("*.o",), caseless=("*.iso",), one_file_system=True)
    excluder = Excluder(rules, [os.fsencode(top)])
    copy = pickle.loads(pickle.dumps(excluder))
    assert copy.rules == rules
    assert ALL - wanted(copy, top) == {"src/main.o", "Big.ISO"}


def test_a_default_gives_way_to_what_is_asked_for_by_name() -> None:
    assert defaults_for([b"/home/me", b"/etc"]) == DEFAULT_EXCLUDES
    left = defaults_for([b"/dev/shm/mine", b"/home/me/.cache/pictures"])
    assert set(DEFAULT_EXCLUDES) - set(left) == {"/dev", "/home/*/.cache"}


def test_defaults_leave_out_caches_and_trash() -> None:
    excluder, status = Excluder(ExcludeRules(patterns=defaults_for([b"/"]))), os.lstat("/")
    for path in (b"/proc", b"/home/me/.cache", b"/mnt/.Trash-1000", b"/home/lost+found"):
        assert not excluder(path, os.path.basename(path), status), path
    for path in (b"/home/me/dev", b"/home/me/.config", b"/srv/proc", b"/home/me/x/.cache"):
        assert excluder(path, os.path.basename(path), status), path


def test_that_all_are_wanted_is_only_said_when_it_is_sure() -> None:
    by_pattern = Excluder(ExcludeRules(patterns=("*.o",), caseless=("*.TMP",)))
    assert by_pattern.includes_all(b"a.c\0b.h")
    assert not by_pattern.includes_all(b"a.c\0b.o")
    assert not by_pattern.includes_all(b"a.c\0b.tmp")
    assert Excluder(ExcludeRules()).includes_all(b"a")
    assert not Excluder(ExcludeRules(larger_than=1)).includes_all(b"a")
    assert not Excluder(ExcludeRules(markers=(CACHE_TAG,))).includes_all(b"a")
    assert not Excluder(ExcludeRules(one_file_system=True), [b"/"]).includes_all(b"a")
