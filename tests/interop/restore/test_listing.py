"""`snapshots`, `ls`, `unlock`: each option that stock restic has does here what it does there."""

import json
import os
import random
import re
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nightsafe.archiver.backup import BackupOptions, backup
from nightsafe.backend.base import ObjectKind
from nightsafe.progress import show_path
from nightsafe.repofile.go_json import parse_time
from nightsafe.repofile.tree import posix_permissions
from nightsafe.repository.locks import Lock
from nightsafe.repository.repository import Repository

from tests.support.interop.generated_snapshots import (
    DAY,
    ZONES,
    Ours,
    ask_restic,
    clocks_of,
    fill,
    filters,
    new_repository,
    restic_json,
    restic_version,
    seed,
)

pytestmark = pytest.mark.interop
ROUNDS = 8


@pytest.fixture(autouse=True)
def _own_data_directory() -> None:
    """The agent knows nothing of the server, so there are no settings of it to replace."""


@pytest.fixture(autouse=True)
def _own_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSAFE_CONFIG_DIR", str(tmp_path / "config-dir"))
    monkeypatch.setenv("NIGHTSAFE_CACHE_DIR", str(tmp_path / "cache-dir"))


# snapshots

Group = tuple[str, tuple[str, ...], tuple[str, ...]]


def test_snapshots_are_chosen_and_grouped_alike(tmp_path: Path) -> None:
    chance = seed("snapshots")
    repository = new_repository(tmp_path / "r")
    with clocks_of(chance.choice(ZONES)):
        fill(repository, chance, 60)
        for _ in range(ROUNDS):
            compare_snapshots(repository, chance)


def compare_snapshots(repository: Repository, chance: random.Random) -> None:
    options = filters(chance)
    by = chance.choice((None, "host", "paths", "tags", "host,paths", "path,tag"))
    options += [] if by is None else ["--group-by", by]
    # Until 0.18 it counted for each host and paths, whatever was grouped by.
    if chance.random() < 0.5 and (by in (None, "host,paths") or restic_version() >= (0, 19)):
        options += ["--latest", chance.choice(("1", "2", "5"))]
    print("snapshots", *map(repr, options))
    ours, theirs = Ours(repository), restic_json(repository, "snapshots", *options)
    reported = ours.json("snapshots", *options)
    times = {one["id"]: one["time"] for one in reported["snapshots"]}
    if by is None:
        assert Counter(times.values()) == Counter(one["time"] for one in theirs)
        assert list(times.values()) == sorted(times.values(), key=parse_time)
        assert_same_fields(reported["snapshots"], theirs)
    else:
        got = {
            group_of(one): Counter(map(times.get, one["snapshots"])) for one in reported["groups"]
        }
        assert got == {
            group_of(one["group_key"]): Counter(s["time"] for s in one["snapshots"])
            for one in theirs
        }
    shown = [text_of(ours, "snapshots", *options, *more) for more in ([], ["--compact"])]
    for text in shown:
        names = re.findall(r"^([0-9a-f]{8})  ", text, re.MULTILINE)
        assert Counter(names) == Counter(name[:8] for name in times)
    assert "/" not in re.sub(r"(?m)^.*:$", "", shown[1])


def group_of(fields: dict[str, Any]) -> Group:
    host = fields.get("hostname", fields.get("host"))
    return host or "", tuple(fields["paths"] or ()), tuple(fields["tags"] or ())


def assert_same_fields(ours: list[Any], theirs: list[Any]) -> None:
    """Of snapshots that both list: of those of the same time each may list another."""
    known = {one["id"]: one for one in theirs}
    for one in ours:
        if other := known.get(one["id"]):
            assert one["time"] == other["time"]
            assert one["tree_id"] == other["tree"]
            assert one["hostname"] == other["hostname"]
            assert sorted(one["paths"]) == sorted(other["paths"])
            assert sorted(one["tags"]) == sorted(other.get("tags") or [])


def text_of(ours: Ours, *arguments: str) -> str:
    status, out, err = ours.run(*arguments)
    assert status == 0, err
    return out


def test_snapshots_are_named_alike(tmp_path: Path) -> None:
    chance = seed("names")
    repository = new_repository(tmp_path / "r")
    fill(repository, chance, 25)
    ours = Ours(repository)
    known = [listing.name for listing in repository.storage.list(ObjectKind.SNAPSHOT)]
    for _ in range(ROUNDS):
        names = [chance.choice(known)[: chance.choice((8, 12, 64))] for _ in range(2)]
        names += chance.choice(([], ["latest"], [names[0]], ["00000000"]))
        options = filters(chance) if "latest" in names and chance.random() < 0.5 else []
        theirs = ask_restic(repository, "snapshots", *names, *options, "--json", check=False)
        status, out, err = ours.run("snapshots", *names, *options, "--json")
        if theirs.returncode:
            assert status == 1
            continue
        listed = json.loads(theirs.stdout)
        if status and "00000000" in names:
            assert "00000000" in err  # which restic leaves out, with a word
            continue
        if status:
            assert "latest" in names  # of which there was none
            assert len(listed) < len(set(names))
            continue
        # What is also the latest is listed twice there.
        got = json.loads(out)["snapshots"]
        assert {one["time"] for one in got} == {one["time"] for one in listed}
        assert len(got) == len({one["id"] for one in got})


# ls


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Entries of each kind, with odd names, modes and times."""
    chance = seed("tree")
    top = tmp_path_factory.mktemp("listed") / "tree"
    folders = [top]
    top.mkdir()
    for number in range(40):
        path = chance.choice(folders) / chance.choice(("a", "B b", "ü", ".x", "n\nl", "q'")).join(
            (str(number), "")
        )
        kind = chance.choice(("file", "file", "file", "dir", "dir", "link", "fifo"))
        if kind == "dir":
            path.mkdir()
            folders.append(path)
        elif kind == "file":
            path.write_bytes(chance.randbytes(chance.choice((0, 1, 4096, 70_000))))
            path.chmod(chance.choice((0o600, 0o644, 0o755, 0o4755, 0o1640)))
        elif kind == "link":
            path.symlink_to(chance.choice(("nowhere", "/etc/passwd", "..")))
        else:
            os.mkfifo(path)
    for path in top.rglob("*"):
        moment = chance.randrange(2_000_000_000) * 10**9 + chance.randrange(10**9)
        os.utime(path, ns=(moment, moment), follow_symlinks=False)
    return top


@pytest.fixture(scope="module")
def listed(tree: Path) -> Repository:
    """Snapshots of it by both programs, with hosts and tags of their own."""
    repository = new_repository(tree.parent / "r")
    for host, tag in (("one", "a"), ("two", "b")):
        backup(repository, [os.fsencode(tree)], BackupOptions(hostname=host, tags=(tag,)))
        options = ["--host", f"{host}-restic", "--tag", f"{tag},restic"]
        ask_restic(repository, "backup", str(tree), *options)
    (tree / "last").touch()
    backup(repository, [os.fsencode(tree)], BackupOptions(hostname="one"))
    return repository


Entry = tuple[object, ...]


TIMES = ("mtime", "atime", "ctime")
NUMBERS = ("uid", "gid", "inode")


def their_entries(repository: Repository, *arguments: str) -> dict[str, Entry]:
    said = ask_restic(repository, "ls", *arguments, "--json").stdout
    nodes = [node for node in map(json.loads, said.splitlines()) if node["struct_type"] == "node"]
    is_new = restic_version() >= (0, 17)  # before it said nothing of inodes
    return {
        show_path(os.fsencode(node["path"])): (
            node["type"],
            posix_permissions(node.get("mode", 0)),
            node.get("size", 0),
            *(parse_time(node[time]) for time in TIMES),
            *(node.get(number, 0) for number in (NUMBERS if is_new else NUMBERS[:2])),
        )
        for node in nodes
    }


def our_entries(repository: Repository, *arguments: str) -> dict[str, Entry]:
    out = text_of(Ours(repository), "ls", *arguments, "--json")
    entries = [json.loads(line) for line in out.splitlines()]
    numbers = NUMBERS if restic_version() >= (0, 17) else NUMBERS[:2]
    return {
        one["path"]: (
            *(one[name] for name in ("type", "mode", "size")),
            *(parse_time(one[time]) for time in TIMES),
            *(one[number] for number in numbers),
        )
        for one in entries
    }


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--host", "one"],
        ["--host", "two-restic"],
        ["--tag", "a"],
        ["--tag", "b,restic"],
        ["--tag", "a,restic", "--tag", "b"],
        ["--tag", ""],
        ["--host", "one", "--host", "two"],
    ],
)
def test_the_latest_is_the_same_and_lists_the_same(listed: Repository, options: list[str]) -> None:
    assert our_entries(listed, "latest", *options) == their_entries(listed, "latest", *options)


def test_the_latest_of_a_path(
    listed: Repository, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tree.parent)
    expected = their_entries(listed, "latest", "--path", str(tree))
    for path in (str(tree), "tree", f"{tree}/", "./tree/../tree"):
        assert their_entries(listed, "latest", "--path", path) == expected
        assert our_entries(listed, "latest", "--path", path) == expected
    for arguments in (["latest", "--path", "/nowhere"], ["latest", "--host", "nobody"]):
        theirs = ask_restic(listed, "ls", *arguments, check=False)
        assert theirs.returncode or not theirs.stdout  # with a word only, before 0.17
        assert Ours(listed).run("ls", *arguments)[0] == 1


def test_paths_and_folders_of_a_snapshot(listed: Repository, tree: Path) -> None:
    chance = seed("paths")
    inner = [str(path) for path in tree.rglob("*") if "\n" not in str(path)]
    for name in ("latest", newest(listed)):
        for _ in range(4):
            paths = chance.sample([str(tree), *inner], chance.choice((1, 2)))
            got = our_entries(listed, name, *paths, "--recursive")
            assert got == our_entries(listed, name, *paths)
            assert got == their_entries(listed, "--recursive", name, *paths)


def newest(repository: Repository) -> str:
    return repository.load_snapshots().sound[-1].id[:12]


def test_a_folder_of_a_snapshot(listed: Repository, tree: Path) -> None:
    if restic_version() < (0, 16):  # the stages with newer ones run it
        pytest.skip("this restic takes no snapshot:folder; newer ones do")
    folders = [tree, *(path for path in tree.rglob("*") if path.is_dir() and not path.is_symlink())]
    for folder in folders[:6]:
        for name in (f"latest:{folder}", f"{newest(listed)}:{folder}/"):
            assert our_entries(listed, name) == their_entries(listed, name)
    for name in ("latest:/nowhere", f"latest:{tree}/last"):
        assert ask_restic(listed, "ls", name, check=False).returncode
        assert Ours(listed).run("ls", name)[0] == 1


def test_the_long_form_tells_what_restic_tells(listed: Repository) -> None:
    """Mode, size and time to the second, in the zone of here."""
    for zone in ZONES[:3]:
        with clocks_of(zone):
            theirs = dict(their_lines(ask_restic(listed, "ls", "--long", "latest").stdout))
            ours = dict(our_lines(text_of(Ours(listed), "ls", "--long", "latest")))
            assert ours
            assert ours == {path: theirs[path] for path in ours}


def their_lines(text: str) -> Iterator[tuple[str, tuple[int, int, str]]]:
    row = re.compile(r"^(\S{10,11})\s+\d+\s+\d+\s+(\d+) (\S+ \S+) (/.*)$")
    for line in text.splitlines():
        if found := row.match(line):
            yield found[4].partition(" -> ")[0], (mode_of(found[1]), int(found[2]), found[3])


_SPECIAL = {"u": 0o4000, "g": 0o2000, "t": 0o1000}


def mode_of(text: str) -> int:
    """Go writes the special bits in front: `ugtrwxr-xr-x` and the like, or Unix's own way."""
    *_, permissions = re.split(r"(?=[r-][w-][xsS-][r-])", text, maxsplit=1)
    bits = sum(1 << (8 - at) for at, sign in enumerate(permissions) if sign not in "-ST")
    front = text[: -len(permissions)]
    return bits | sum(bit for sign, bit in _SPECIAL.items() if sign in front)


def our_lines(text: str) -> Iterator[tuple[str, tuple[int, int, str]]]:
    row = re.compile(r"^(\w+)\s+([0-7]+)\s+(\d+) (\S+ \S+)  (/.*)$")
    for line in text.splitlines():
        found = row.match(line)
        assert found, line
        if found[1] != "symlink" and "\\" not in found[5]:
            yield found[5], (int(found[2], 8), int(found[3]), found[4])


# unlock


def test_the_same_locks_are_removed(tmp_path: Path) -> None:
    chance = seed("locks")
    # restic asks whether a process lives with a signal that ends it, unless it is ignored.
    with subprocess.Popen(["nohup", "sleep", "600"], stderr=subprocess.DEVNULL) as living:
        try:
            for options in ([], [], ["--remove-all"]):
                compare_locks(tmp_path, chance, living.pid, options)
        finally:
            living.kill()


def compare_locks(tmp_path: Path, chance: random.Random, alive: int, options: list[str]) -> None:
    left = []
    locks = [a_lock(chance, alive) for _ in range(14)]
    for who in ("ours", "theirs"):
        repository = new_repository(tmp_path / f"{who}-{chance.random()}")
        names = {repository.save_text(ObjectKind.LOCK, one.encode()): one for one in locks}
        if who == "ours":
            assert Ours(repository).run("unlock", *options)[0] == 0
        else:
            ask_restic(repository, "unlock", *options)
        left.append({names[found.name] for found in repository.storage.list(ObjectKind.LOCK)})
    assert left[0] == left[1]
    assert bool(options) is not bool(left[0])


def a_lock(chance: random.Random, alive: int) -> Lock:
    dead = 2**22 + chance.randrange(1000)
    return Lock(
        time=time.time_ns() - chance.choice((0, 60 * 10**9, 29 * 60 * 10**9, 31 * 60 * 10**9, DAY)),
        exclusive=chance.random() < 0.5,
        hostname=chance.choice((socket.gethostname(), "elsewhere")),
        username="somebody",
        pid=chance.choice((alive, dead)),
    )
