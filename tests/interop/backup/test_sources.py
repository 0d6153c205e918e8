"""Which entries of which sources are backed up: what stock restic stores, we store.

Trees, sources and rules are drawn. Restic of 0.19 and later takes whatever was given by name, and
asks its rules only about what it listed; so do we. Older ones ask about what was given, too.
"""

import contextlib
import itertools
import os
import random
import shutil
from pathlib import Path

import pytest
from nightsafe.filters.exclude import Excluder, ExcludeRules

from tests.interop.conftest import find_restic
from tests.support.disks import require_root
from tests.support.interop.pair import Pair, assert_equal, shown

pytestmark = pytest.mark.interop

ROUNDS = int(os.environ.get("NIGHTSAFE_TEST_ROUNDS", "12"))
NAMES = ["a", "b", "ab", "A", "a.b", "c", "[x]", "\u00e4", "node_modules"]
WILD = ["*", "a*", "*b", "?", "[ab]", "[^a]", "**", "a.*", r"\[x\]", "*.b"]
MARKED = ("--exclude-caches", "--exclude-if-present")
CACHE_TAG = "Signature: 8a477f597d28d172789f06886806bc55\n"


@pytest.fixture(scope="module", autouse=True)
def _own_data_directory() -> None:
    """The agent knows nothing of the server, so there are no settings of it to replace."""


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path / "repository", find_restic())


def grow(chance: random.Random, folder: Path, depth: int = 0) -> None:
    """Fill a folder with a few entries of every kind that a rule may ask about."""
    for name in chance.sample(NAMES, chance.randint(1, 5)):
        path = folder / name
        kind = chance.random()
        if kind < 0.55 and depth < 3:
            path.mkdir()
            grow(chance, path, depth + 1)
        elif kind < 0.65:
            path.symlink_to(chance.choice(NAMES))
        else:
            path.write_bytes(bytes(chance.choice([0, 10, 100, 5000])))
    if chance.random() < 0.2:
        (folder / "MARK").write_text(chance.choice(["", "head", "other"]))
    if chance.random() < 0.2:
        (folder / "CACHEDIR.TAG").write_text(chance.choice(["", "Signature: no", CACHE_TAG]))


def folders_below(top: Path) -> list[Path]:
    below = sorted(top.rglob("*"))
    return [top, *(path for path in below if path.is_dir() and not path.is_symlink())]


def draw_source(chance: random.Random, top: Path, here: Path) -> str:
    """A path in the tree, written in one of the ways in which people write paths."""
    everything = [*sorted(top.rglob("*")), top]
    path = chance.choice([chance.choice(everything), here, here.parent])
    written = chance.choice([str(path), os.path.relpath(path, here), os.path.relpath(path, here)])
    if path.is_dir() and not path.is_symlink() and chance.random() < 0.2:
        written += "/"
    if chance.random() < 0.1:
        written = f"./{written}" if not written.startswith("/") else f"/{written}"
    return written


def draw_pattern(chance: random.Random, paths: list[Path]) -> str:
    if chance.random() < 0.1:
        return str(chance.choice(paths))
    parts = [chance.choice(NAMES + WILD) for _ in range(chance.choice([1, 1, 1, 2, 2, 3]))]
    lead = chance.choice(["", "", "", f"{chance.choice(paths)}/", "/"])
    return chance.choice(["", "", "", "!"]) + lead + "/".join(parts)


def draw_options(chance: random.Random, paths: list[Path]) -> list[str]:
    options = [f"--exclude={draw_pattern(chance, paths)}" for _ in range(chance.randint(0, 3))]
    if chance.random() < 0.2:
        options.append(f"--iexclude={draw_pattern(chance, paths)}")
    if chance.random() < 0.2:
        options.append(f"--exclude-larger-than={chance.choice(['0', '9', '10', '99', '4K'])}")
    if chance.random() < 0.2:
        options.append(f"--exclude-if-present=MARK{chance.choice(['', ':head'])}")
    if chance.random() < 0.2:
        options.append("--exclude-caches")
    if chance.random() < 0.2:
        options.append("--one-file-system")
    return options


def asks_of_given(sources: list[str], options: list[str], here: Path) -> bool:
    """Whether a rule speaks of something that was given by name, which old restics leave out."""
    values = [option.partition("=")[::2] for option in options]

    def of(name: str) -> tuple[str, ...]:
        return tuple(value for flag, value in values if flag == name)

    markers = [value.partition(":")[::2] for value in of("--exclude-if-present")]
    sizes = [int(size.replace("K", "000")) for size in of("--exclude-larger-than")]
    marked = [(name.encode(), start.encode()) for name, start in markers]
    if "--exclude-caches" in options:
        marked.append((b"CACHEDIR.TAG", CACHE_TAG.strip().encode()))
    excluder = Excluder(
        ExcludeRules(
            patterns=of("--exclude"),
            caseless=of("--iexclude"),
            markers=tuple(marked),
            larger_than=min(sizes, default=None),
        )
    )
    for source in sources:
        path = os.fsencode(os.path.normpath(here / source))
        path = path[1:] if path.startswith(b"//") else path
        if excluder.excludes(path):
            return True
        with contextlib.suppress(FileNotFoundError):  # above a link it may be nowhere
            if not excluder(path, os.path.basename(path), os.lstat(here / source)):
                return True
    return False


def test_the_same_is_stored(
    chance: random.Random,
    pair: Pair,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    compared = 0
    for number in itertools.count():
        if compared == ROUNDS:
            break
        top = tmp_path / f"place-{number}" / "tree"
        top.mkdir(parents=True)
        grow(chance, top)
        here = chance.choice(folders_below(top))
        if chance.random() < 0.2:
            (top.parent / "link").symlink_to(here)
            here = top.parent / "link"  # as the shell calls it, and so do snapshots
        sources = [draw_source(chance, top, here) for _ in range(chance.choice([1, 1, 2, 3]))]
        options = draw_options(chance, [top, *sorted(top.rglob("*"))])
        if pair.version < (0, 19) and asks_of_given(sources, options, here):
            continue
        if here.is_symlink() and any(".." in source.split("/") for source in sources):
            # Above a link restic looks for markers where the shell is, not where the files are.
            options = [option for option in options if not option.startswith(MARKED)]
        theirs = pair.by_restic(*options, "--", *sources, here=here)
        ours = pair.by_us(
            *options, "--", *sources, here=here, monkeypatch=monkeypatch, capsys=capsys
        )
        assert_equal(theirs, ours, f"cd {here}; {shown([*options, '--', *sources])}")
        compared += 1
        shutil.rmtree(top.parent)


@pytest.mark.parametrize(("theirs", "ours"), [(0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)])
def test_their_snapshot_is_matched_however_its_paths_are_written(
    pair: Pair,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    theirs: int,
    ours: int,
) -> None:
    """restic itself finds such a snapshot, and reads every file again."""
    top = tmp_path / "place" / "tree"
    for name in ("one", "deep/two", "deep/er/three"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(name)
    ways = [(Path("/"), str(top)), (top.parent, "tree"), (top, ".")]
    pair.by_restic(ways[theirs][1], here=ways[theirs][0])
    here, source = ways[ours]
    done = pair.by_us(source, here=here, monkeypatch=monkeypatch, capsys=capsys)
    assert "0 new, 0 changed, 3 unchanged" in done.said
    assert "in another way" in done.said


def grown(pair: Pair) -> list[Path]:
    """Everything below the root that belongs to a round of the test."""
    tops = [path for path in sorted(pair.root.iterdir()) if path.name not in pair.own]
    folders = [top for top in tops if not top.is_symlink()]
    return [*tops, *(path for top in folders for path in sorted(top.rglob("*")))]


def inside(pair: Pair, path: Path) -> Path:
    """The path as those see it for whom the folder is the root."""
    return Path("/") / path.relative_to(pair.root)


def empty(pair: Pair) -> None:
    for path in reversed(grown(pair)):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


def test_the_root_is_what_is_in_it(
    chance: random.Random,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Of `/` and whatever else stands for its contents, each entry is asked about."""
    require_root("only root may make a folder the root")
    root = tmp_path / "root"
    pair = Pair(root / "vault", find_restic(), root=root)
    kinds = ["/", "//", "/.", ".", "../..", "/tmp/.."]
    if pair.version >= (0, 19):  # of what is given, older ones ask in another way; see above
        kinds.append("/tmp")
    for number in range(max(2, ROUNDS // 2)):
        empty(pair)
        grow(chance, pair.root)
        here = chance.choice(["/", "/tmp/deep"] if number else ["/"])
        (pair.root / "tmp" / "deep").mkdir(parents=True, exist_ok=True)
        sources = chance.sample(kinds, 2)
        options = draw_options(chance, [inside(pair, path) for path in grown(pair)])
        options += [f"--exclude=/{name}" for name in pair.own]
        theirs = pair.by_restic(*options, "--", *sources, here=Path(here))
        ours = pair.by_us(
            *options, "--", *sources, here=Path(here), monkeypatch=monkeypatch, capsys=capsys
        )
        assert_equal(theirs, ours, f"cd {here}; {shown([*options, '--', *sources])}")


def test_what_the_kernel_makes_up_stays_out_of_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    require_root("only root may make a folder the root")
    pair = Pair(tmp_path / "root" / "vault", find_restic(), root=tmp_path / "root")
    for name in ("proc/1/mem", "sys/x", "dev/sda", "run/pid", "etc/passwd", "home/me/.cache/x"):
        (pair.root / name).parent.mkdir(parents=True, exist_ok=True)
        (pair.root / name).write_text(name)
    own = [f"--exclude=/{name}" for name in pair.own]
    ours = pair.by_us(
        "/", *own, here=Path("/"), monkeypatch=monkeypatch, capsys=capsys, defaults=True
    )
    expected = {b"/etc", b"/etc/passwd", b"/home", b"/home/me"}
    assert ours.status == 0, ours.said
    assert set(ours.entries) == expected
