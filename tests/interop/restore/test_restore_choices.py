"""Each option of `restore` that stock restic has, too: over drawn targets it does the same."""

import os
import random
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from nightsafe.backend.local import LocalBackend
from nightsafe.cli import main

from tests.interop.conftest import PASSPHRASE, find_restic, portrait
from tests.support import repositories
from tests.support.interop.pair import shown, version_of

pytestmark = pytest.mark.interop
ROUNDS = int(os.environ.get("NIGHTSAFE_TEST_ROUNDS", "4"))
NAMES = ["a", "b", "C", "c", "d.txt", "e.txt", "F.TXT"]
PATTERNS = ["a", "b", "*.txt", "/a", "/a/b", "a/*", "c", "/C/**", "**/b/*", "d.*", "none", "*"]
SECOND = 10**9
IN_THE_WAY = "a file in the way of a folder"
BASE = 1_500_000_000 * SECOND
Filling = Callable[[random.Random, Path], None]


@pytest.fixture(autouse=True)
def _own_data_directory() -> None:
    """The agent knows nothing of the server, so there are no settings of it to replace."""


class Two:
    """A snapshot of one folder, restored by both programs into equal targets."""

    def __init__(self, place: Path, chance: random.Random, monkeypatch: pytest.MonkeyPatch) -> None:
        self.place = place
        self.chance = chance
        self.binary = find_restic()
        self.version = version_of(self.binary)
        self.source, self.repository = place / "source", place / "repository"
        self.theirs, self.ours = place / "theirs", place / "ours"
        repositories.make(LocalBackend(str(self.repository)), PASSPHRASE)
        monkeypatch.setenv("NIGHTSAFE_REPOSITORY", str(self.repository))
        monkeypatch.setenv("NIGHTSAFE_PASSWORD", PASSPHRASE)
        monkeypatch.setenv("NIGHTSAFE_CACHE_DIR", str(place / "cache"))

    def draw(self, options: Sequence[str] = (), fill: Filling | None = None) -> None:
        """Another snapshot, and targets that hold more or less of it.

        Where an option leaves something out no file has several names: restic would change what
        is left out by its other name.
        """
        for folder in (self.source, self.theirs, self.ours):
            shutil.rmtree(folder, ignore_errors=True)
        self.source.mkdir()
        if fill is not None:
            fill(self.chance, self.source)
        else:
            grow(self.chance, self.source, links=not any("clude" in option for option in options))
        self.restic("backup", ".", here=self.source)
        subprocess.run(["cp", "-a", str(self.source), str(self.theirs)], check=True)

    def settle(self) -> None:
        """Let both targets be equal."""
        subprocess.run(["cp", "-a", str(self.theirs), str(self.ours)], check=True)

    def lift(self, folder: str) -> None:
        """Let the targets be what they hold of a folder, if that is one of the snapshot.

        What stands in the way of another folder's entries the programs replace differently.
        """
        inside = self.source / folder
        if not folder or inside.is_symlink() or not inside.is_dir():
            return
        for target in (self.theirs, self.ours):
            if (target / folder).is_dir():
                (target / folder).rename(self.place / "lifted")
                shutil.rmtree(target)
                (self.place / "lifted").rename(target)

    def restic(self, *arguments: str, here: Path) -> tuple[int, str]:
        done = subprocess.run(
            [self.binary, "--no-cache", "--repo", str(self.repository), *arguments],
            env={**os.environ, "RESTIC_PASSWORD": PASSPHRASE},
            cwd=here,
            capture_output=True,
            text=True,
            check=False,
        )
        assert arguments[0] != "backup" or done.returncode == 0, done.stderr
        return done.returncode, done.stdout + done.stderr

    def compare(
        self,
        options: Sequence[str],
        capsys: pytest.CaptureFixture[str],
        folders: Sequence[str] = ("", "", ":/", ":/a", ":/C", ":b"),
    ) -> None:
        """Restore with both; the targets must be equal afterwards, and so whether all went well."""
        folder = self.chance.choice(folders) if self.version >= (0, 17) else ""
        self.lift(folder.lstrip(":/"))
        theirs, they_said = self.restic(
            "restore", f"latest{folder}", "--target", str(self.theirs), *options, here=self.place
        )
        more = ["--yes"] if "--delete" in options else []
        command = ["restore", f"latest{folder}", "--target", str(self.ours), *options, *more]
        ours = main([*command, "--workers", "0"])
        text = f"{shown(options)} {folder}\n{they_said}\n{''.join(capsys.readouterr())}"
        if ours == 1:  # there is no such folder, or nothing fits, where restic is content
            assert theirs != 0 or "holds nothing" in text or "holds no folder" in text, text
        else:
            assert (ours == 0) == (theirs == 0), text
        assert settled(self.ours) == settled(self.theirs), text


def settled(target: Path) -> dict[bytes, tuple[object, ...]]:
    """What a target holds; of a file that is still in the way of a folder only that it is there.

    Stock restic gives such a file the mode and the owner of the folder that did not come.
    """
    return {
        path: (IN_THE_WAY,) if IN_THE_WAY.encode() in facts else facts
        for path, facts in portrait(target).items()
    }


@pytest.fixture
def two(tmp_path: Path, chance: random.Random, monkeypatch: pytest.MonkeyPatch) -> Two:
    return Two(tmp_path, chance, monkeypatch)


@pytest.fixture
def overwriting(two: Two) -> Two:
    if two.version < (0, 17):  # the stages with newer ones run what wants it
        pytest.skip("this restic always overwrites, and never deletes")
    return two


def grow(chance: random.Random, folder: Path, depth: int = 0, *, links: bool) -> None:
    """Fill a folder with files, links, files of several names, and folders."""
    for name in chance.sample(NAMES, chance.randint(2, 5)):
        path = folder / name
        kind = chance.random()
        if kind < 0.35 and depth < 2:
            path.mkdir()
            grow(chance, path, depth + 1, links=links)
            continue
        if kind < 0.45:
            path.symlink_to(chance.choice(NAMES))
            continue
        path.write_bytes(chance.randbytes(chance.choice([0, 5, 300, 5000])))
        path.chmod(chance.choice([0o644, 0o640, 0o600, 0o755]))
        if kind < 0.65 and links:
            os.link(path, folder / f"{name}-too")
        at(path, chance.randrange(100))


def at(path: Path, seconds: int) -> None:
    os.utime(path, ns=(BASE, BASE + seconds * SECOND))


def disturb(chance: random.Random, top: Path, *, in_the_way: bool, full: float = 0) -> None:
    """Change, remove and add something in a target, and put things `in_the_way` of others.

    So many of the folders among those are `full`, of 1.
    """
    for path in sorted(top.rglob("*"), reverse=True):
        if path.is_symlink():
            if chance.random() < 0.3:
                path.unlink()
        elif path.is_dir():
            disturb_folder(chance, path, in_the_way=in_the_way)
        else:
            disturb_file(chance, path, in_the_way=in_the_way, full=full)
    (top / "beside").write_text("beside")


def disturb_folder(chance: random.Random, path: Path, *, in_the_way: bool) -> None:
    kind = chance.random()
    if kind < 0.3:
        (path / "extra").write_text("extra")
    elif kind < 0.5:
        (path / "more" / "deep").mkdir(parents=True)
        (path / "more" / "deep" / "file").write_text("more")
    elif kind < 0.6 and in_the_way:
        shutil.rmtree(path)
        path.write_text("a file in the way of a folder")


def disturb_file(chance: random.Random, path: Path, *, in_the_way: bool, full: float) -> None:
    before, kind = path.stat(), chance.random()
    if kind < 0.15:
        path.unlink()
    elif kind < 0.3:
        path.write_bytes(bytes(before.st_size))
        os.utime(path, ns=(BASE, before.st_mtime_ns))
    elif kind < 0.45:
        path.write_bytes(b"other, and of another size")
        at(path, chance.choice([-1000, 1000]))
    elif kind < 0.55:
        path.chmod(0o666)
        os.utime(path, ns=(BASE, before.st_mtime_ns))
    elif kind < 0.75 and in_the_way:
        path.unlink()
        if chance.random() < 0.5:
            path.symlink_to("/nowhere")
            return
        path.mkdir()
        if chance.random() < full and before.st_nlink == 1:  # others restic cannot replace so
            (path / "inside").write_text("inside")


def drawn_patterns(chance: random.Random) -> list[str]:
    kind = chance.choice(["include", "exclude", "iinclude", "iexclude"])
    return [f"--{kind}={pattern}" for pattern in chance.sample(PATTERNS, chance.randint(1, 2))]


def test_patterns_and_folders(
    two: Two, chance: random.Random, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(ROUNDS):
        two.draw()
        shutil.rmtree(two.theirs)
        two.theirs.mkdir()
        two.settle()
        two.compare(drawn_patterns(chance), capsys)


def test_what_is_there_is_replaced(
    overwriting: Two, chance: random.Random, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(ROUNDS):
        mode = chance.choice(["always", "if-changed"])
        more = chance.choice([[], ["--delete"], drawn_patterns(chance)])
        overwriting.draw(more)
        # To a full folder that stays, restic gives the attributes of the file that did not come.
        full = 0.4 if "--delete" in more else 0
        disturb(chance, overwriting.theirs, in_the_way=True, full=full)
        overwriting.settle()
        overwriting.compare([f"--overwrite={mode}", *more], capsys, [""])


def test_files_in_the_way_of_folders_that_were_not_asked_for(
    overwriting: Two, chance: random.Random, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only one in which something asked for lies itself replaces a file; the rest is said."""
    for _ in range(ROUNDS):
        options = drawn_includes(chance)
        overwriting.draw(options, fill=deepen)
        for path in sorted(overwriting.theirs.rglob("*")):
            if path.is_dir() and chance.random() < 0.3:
                shutil.rmtree(path)
                path.write_text(IN_THE_WAY)
        overwriting.settle()
        mode = chance.choice(["always", "if-changed"])
        overwriting.compare([f"--overwrite={mode}", *options], capsys, [""])


def deepen(chance: random.Random, folder: Path, depth: int = 0) -> None:
    """Fill a folder with folders and files of the same names, four deep."""
    for name in chance.sample(NAMES, 3):
        if depth < 3 and chance.random() < 0.6:
            (folder / name).mkdir()
            deepen(chance, folder / name, depth + 1)
        else:
            (folder / name).write_text(name)


def drawn_includes(chance: random.Random) -> list[str]:
    names = [name for name in PATTERNS if name != "*"]
    return [
        f"--{chance.choice(['include', 'iinclude'])}={pattern}"
        for pattern in chance.sample(names, chance.randint(1, 2))
    ]


def test_what_is_there_is_kept(
    overwriting: Two, chance: random.Random, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not what is in the way: restic replaces that, whatever was asked for."""
    for _ in range(ROUNDS):
        overwriting.draw()
        for path in overwriting.source.rglob("*-too"):  # restic links them to what is kept
            (overwriting.theirs / path.relative_to(overwriting.source)).unlink()
            path.unlink()
        overwriting.restic("backup", ".", here=overwriting.source)
        disturb(chance, overwriting.theirs, in_the_way=False)
        overwriting.settle()
        mode = chance.choice(["if-newer", "never"])
        more = chance.choice([[], ["--delete"], drawn_patterns(chance)])
        overwriting.compare([f"--overwrite={mode}", *more], capsys)


def test_what_is_deleted(
    overwriting: Two, chance: random.Random, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(ROUNDS):
        options = ["--delete", *drawn_patterns(chance)]
        overwriting.draw(options)
        disturb(chance, overwriting.theirs, in_the_way=False)
        overwriting.settle()
        overwriting.compare(options, capsys)


def test_a_dry_run_and_a_verification(
    overwriting: Two, chance: random.Random, capsys: pytest.CaptureFixture[str]
) -> None:
    for option in ("--dry-run", "--verify"):
        options = [option, *drawn_patterns(chance)]
        overwriting.draw(options)
        disturb(chance, overwriting.theirs, in_the_way=False)
        overwriting.settle()
        overwriting.compare(options, capsys)
