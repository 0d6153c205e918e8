"""Backups by an ordinary user, of file systems that fail, with names that no locale can show."""

import json
import os
import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hardship.conftest import ASCII, PASSPHRASE, Mount, OrdinaryAgent, give

STEADY = 300
FAULTS = ("@eio-stat", "@estale-stat", "@eio-list", "@eio-open", "@estale-open", "@fleeting")


def make_steady(folder: Path) -> set[str]:
    """Make files that never change, in several folders; return their paths below `folder`."""
    made = set()
    for number in range(STEADY):
        path = folder / f"part-{number % 7}" / f"deeper-{number % 3}" / f"file-{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(random.randrange(2000)))
        made.add(str(path.relative_to(folder)))
    return made


def make_failing(folder: Path, seed: int) -> None:
    """Put files and folders that fail in some way between those that never change."""
    drawn = random.Random(seed)
    folders = [folder, *(path for path in sorted(folder.rglob("*")) if path.is_dir())]
    for number, tag in enumerate(FAULTS * 3):
        place = drawn.choice(folders) / f"{drawn.choice('adfz')}{number}{tag}"
        may_be_folder = not tag.endswith("-open")  # folders are not opened, but listed
        if tag == "@eio-list" or (may_be_folder and drawn.random() < 0.5):
            place.mkdir()
            (place / "inside").write_bytes(b"inside")
        else:
            place.write_bytes(drawn.randbytes(5000))


def listed(agent: OrdinaryAgent, top: str) -> set[str]:
    """Return the paths of a snapshot's regular files, below `top`."""
    lines = [json.loads(line) for line in agent.run("ls", "--json", "latest").splitlines()]
    files = [line["path"] for line in lines if line.get("type") == "file"]
    return {path.split(f"/{top}/", 1)[1] for path in files if f"/{top}/" in path}


def seed_of(name: str) -> int:
    """A new seed each time, printed; the variable NIGHTSAFE_SEED repeats one."""
    seed = int(os.environ.get("NIGHTSAFE_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"{name}: NIGHTSAFE_SEED={seed}")
    return seed


def test_what_never_changes_is_whole_beside_what_fails(
    ordinary: OrdinaryAgent, mount: Callable[..., Mount]
) -> None:
    place = mount()
    steady = make_steady(place.folder)
    make_failing(place.folder, seed_of("what fails"))
    give(place.folder)
    for _ in range(6):
        with place.failing():
            said = ordinary.run("backup", str(place.path), expect=3)
        for tag in ("@eio-stat", "@estale-stat", "@eio-list", "@eio-open", "@estale-open"):
            assert tag in said
        assert steady <= listed(ordinary, place.path.name)
        ordinary.run("check", "--read-data")
    ordinary.run("backup", str(place.path))
    everything = {str(p.relative_to(place.folder)) for p in place.folder.rglob("*") if p.is_file()}
    assert listed(ordinary, place.path.name) == everything


@pytest.mark.parametrize("size", [3000, 3_000_000, 30_000_000])
def test_what_is_read_short_is_said(
    ordinary: OrdinaryAgent, mount: Callable[..., Mount], size: int
) -> None:
    place = mount()
    for name in ("beside", "file@short", "file@eio-read"):
        (place.folder / name).write_bytes(os.urandom(size))
    give(place.folder)
    with place.failing():
        said = ordinary.run("backup", str(place.path), expect=3)
    assert "file@short" in said
    assert "file@eio-read" in said
    assert "beside" in listed(ordinary, place.path.name)
    ordinary.run("backup", str(place.path))
    target = ordinary.home / "target"
    ordinary.run("restore", "latest", "--target", str(target))
    for name in ("beside", "file@short", "file@eio-read"):
        (restored,) = target.rglob(name)
        assert restored.read_bytes() == (place.folder / name).read_bytes()


def test_what_has_unreadable_attributes_is_kept_without_them(
    ordinary: OrdinaryAgent, mount: Callable[..., Mount]
) -> None:
    """Files of each size, a link and a folder: their contents matter more."""
    place = mount()
    names = {"small@eio-xattr": 3000, "large@eio-xattr": 3_000_000, "beside": 10}
    for folder in (place.folder, place.folder / "in@eio-xattr"):
        folder.mkdir(exist_ok=True)
        (folder / "link@eio-xattr").symlink_to("nowhere")
        for name, size in names.items():
            (folder / name).write_bytes(os.urandom(size))
    give(place.folder)
    expected = {f"{folder}{name}" for name in names for folder in ("", "in@eio-xattr/")}
    for _ in range(2):
        with place.failing():
            said = ordinary.run("backup", str(place.path), expect=3)
        assert said.count("in this snapshot without") == 5
        assert listed(ordinary, place.path.name) == expected
    ordinary.run("backup", str(place.path))
    ordinary.run("check", "--read-data")


def test_times_of_access_stay_where_that_is_allowed(
    ordinary: OrdinaryAgent, own_folder: Path
) -> None:
    """Files of others can be read all the same, and then it shows."""
    source = own_folder / "source"
    source.mkdir()
    sizes = {"small": 10, "large": 3_000_000}
    for owner in ("own", "foreign"):
        (source / owner).mkdir()
        for name, size in sizes.items():
            (source / owner / name).write_bytes(os.urandom(size))
    give(source)
    if os.geteuid() == 0:
        for path in (source / "foreign", *(source / "foreign").iterdir()):
            os.chown(path, 0, 0)
    own = [source, source / "own", *(source / "own").iterdir()]
    for path in own:
        os.utime(path, ns=(10**18, 10**18 + 1))
    ordinary.run("backup", str(source))
    assert {path: path.stat().st_atime_ns for path in own} == dict.fromkeys(own, 10**18)
    expected = {f"{owner}/{name}" for owner in ("own", "foreign") for name in sizes}
    assert listed(ordinary, "source") == expected


@pytest.mark.parametrize("locale", ["ascii", "latin1"])
@pytest.mark.parametrize("option", ["--verbose", "--json", "--dry-run"])
def test_a_name_that_cannot_be_shown_ends_nothing(
    ordinary: OrdinaryAgent,
    own_folder: Path,
    latin1: dict[str, str],
    locale: str,
    option: str,
) -> None:
    source = own_folder / "source"
    source.mkdir()
    names = [
        b"plain",
        "grün".encode(),
        "日本".encode(),
        b"broken-\xff\xfe",
        "grün".encode("latin-1"),
    ]
    for name in names:
        with open(os.path.join(os.fsencode(source), name), "wb") as file:
            file.write(name)
    give(source)
    ordinary.environment = ASCII if locale == "ascii" else latin1
    ordinary.run("backup", option, str(source))
    ordinary.run("backup", str(source))
    for shows in (["ls", "latest"], ["ls", "--json", "latest"], ["ls", "--long", "latest"]):
        assert "plain" in ordinary.run(*shows)
    target = ordinary.home / "target"
    ordinary.run("restore", "latest", "--json", "--target", str(target))
    (restored,) = (path.parent for path in target.rglob("plain"))
    assert sorted(os.listdir(os.fsencode(restored))) == sorted(names)


def test_a_repository_where_little_is_possible(
    ordinary: OrdinaryAgent, mount: Callable[..., Mount], stock_restic: Path
) -> None:
    place = mount("chmod", "chown", "link", "symlink", "mknod", "setxattr", "fsyncdir")
    source = ordinary.home / "source"
    source.mkdir()
    steady = make_steady(source)
    give(source)
    ordinary.repository = place.path / "repository"
    ordinary.run("init")
    ordinary.run("backup", str(source))
    ordinary.run("backup", str(source))
    ordinary.run("forget", "--keep-last", "1", "--prune", "--yes")
    ordinary.run("check", "--read-data")
    assert listed(ordinary, "source") == steady
    environment = {"RESTIC_PASSWORD": PASSPHRASE, "HOME": str(ordinary.home)}
    command = [str(stock_restic), "--no-cache", "--no-lock", "check", "--read-data"]
    command += ["--repo", str(place.folder / "repository")]
    subprocess.run(command, env=environment, check=True, capture_output=True)
