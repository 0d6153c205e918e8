"""Lists of paths and patterns in files: of the same bytes stock restic and we make the same."""

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from nightsafe.filters.wildcard import is_valid

from tests.interop.conftest import find_restic
from tests.support.interop.pair import Outcome, Pair, assert_equal

pytestmark = pytest.mark.interop
ROUNDS = int(os.environ.get("NIGHTSAFE_TEST_ROUNDS", "15"))
NAMES = [
    *("a", "b", "ab", "A", ".hidden", "a b", " a", "b ", "#a", "[x]", "*", "?", "\\", "a\\b", "!a"),
    *(
        "\u00e4",
        "\u4e2d",
        "a\x0bb",
        "b\x85",
        "\x1fa",
        "a\r",
        "a\u2028b",
        "\udcff",
        "$HOME",
        "^",
        "-",
    ),
]
PARTS = [
    *NAMES,
    "*",
    "?",
    "??",
    "*a*",
    "[ab]",
    "[^a]",
    "[!a]",
    r"\*",
    r"\[x\]",
    r"[\]]",
    "**",
    ".*",
]
PARTS += [
    "..",
    ".",
    "",
    "[",
    "[]",
    "[a-",
    "[a-c]",
    "none",
    "\\",
    "a\\",
    "*\\",
    "a*[",
    "[*",
    "*[a]*[-",
]
ENDS = ["\n", "\n", "\n", "\r\n", "\r\r\n", "\n\n", "\r"]
BLANKS = ["", "", "", " ", "\t", "\u00a0", "\u3000", "\x1f"]


@pytest.fixture(autouse=True)
def _own_data_directory() -> None:
    """The agent knows nothing of the server, so there are no settings of it to replace."""


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path / "repository", find_restic())


@pytest.fixture
def back_up(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """The agent's backup."""

    def run(*arguments: str, here: Path) -> Outcome:
        return pair.by_us(*arguments, here=here, monkeypatch=monkeypatch, capsys=capsys)

    return run


def grow(chance: random.Random, folder: Path, depth: int = 0) -> None:
    for name in chance.sample(NAMES, 6):
        path = folder / name
        if depth < 2 and chance.random() < 0.6:
            path.mkdir()
            grow(chance, path, depth + 1)
        else:
            path.touch()


def draw_path(chance: random.Random, here: Path) -> str:
    """A path of the tree, mostly, and mostly relative."""
    path = chance.choice([here, *sorted(here.rglob("*"))])
    return str(path) if chance.random() < 0.3 else os.path.relpath(path, here)


def draw_glob(chance: random.Random, here: Path) -> str:
    parts = draw_path(chance, here).split("/")
    at = chance.randrange(len(parts)) if parts[0] else len(parts) - 1
    parts[at] = chance.choice(PARTS)
    return "/".join(parts)


def written(chance: random.Random, lines: list[str], *, blanks: bool) -> bytes:
    """The lines as somebody's editor may write them."""
    text = ""
    for line in lines:
        lead, trail = (chance.choice(BLANKS), chance.choice(BLANKS)) if blanks else ("", "")
        text += lead + line + trail + chance.choice(ENDS)
    if chance.random() < 0.3:
        text = text.rstrip("\r\n")
    encoding = chance.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16"])
    if encoding == "utf-16" and "\udcff" in text:
        encoding = "utf-8"
    return text.encode(encoding, "surrogateescape")


def drawn_tree(chance: random.Random, place: Path) -> tuple[Path, Path]:
    """A folder full of odd names, and one in it to be in."""
    top = place / "tree"
    top.mkdir(parents=True)
    grow(chance, top)
    folders = [path for path in sorted(top.rglob("*")) if path.is_dir()]
    return top, chance.choice([top, *folders])


@pytest.mark.parametrize("option", ["files-from", "files-from-verbatim", "files-from-raw"])
def test_lists_of_paths(
    chance: random.Random,
    pair: Pair,
    back_up: Callable[..., Outcome],
    tmp_path: Path,
    option: str,
) -> None:
    for number in range(ROUNDS):
        top, here = drawn_tree(chance, tmp_path / f"place-{number}")
        draw = draw_glob if option == "files-from" else draw_path
        lines = [draw(chance, here) for _ in range(chance.randint(1, 3))]
        lines += [draw_path(chance, here)] * chance.randint(0, 1)
        if option == "files-from-raw":
            data = b"".join(os.fsencode(line) + b"\0" for line in lines)
        else:
            data = written(chance, lines, blanks=option == "files-from")
        (tmp_path / "list").write_bytes(data)
        arguments = [f"--{option}", str(tmp_path / "list")]
        arguments += ["--", draw_path(chance, here)] * chance.randint(0, 1)
        theirs = pair.by_restic(*arguments, here=here)
        assert_equal(theirs, back_up(*arguments, here=here), (str(here), data, arguments))
        shutil.rmtree(top.parent)


@pytest.mark.parametrize("option", ["exclude-file", "iexclude-file"])
def test_lists_of_patterns(
    chance: random.Random,
    pair: Pair,
    back_up: Callable[..., Outcome],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    option: str,
) -> None:
    monkeypatch.setenv("NAME", "a")
    monkeypatch.setenv("WILD", "*\u00e4")
    variables = ["$NAME", "${NAME}", "$WILD", "$NONE", "$$HOME", "${}", "${NAME", "$1a", "${$}HOME"]
    for number in range(ROUNDS):
        top, here = drawn_tree(chance, tmp_path / f"place-{number}")
        lines = [
            chance.choice(["", "", "!", "#"])
            + chance.choice([draw_glob(chance, here), *chance.sample(PARTS + variables, 2)])
            for _ in range(chance.randint(1, 4))
        ]
        data = written(chance, lines, blanks=True)
        (tmp_path / "list").write_bytes(data)
        arguments = [f"--{option}", str(tmp_path / "list"), "--", "."]
        theirs, ours = pair.by_restic(*arguments, here=here), back_up(*arguments, here=here)
        told = (str(here), data, arguments)
        if theirs.status == 0 and "makes no sense" in ours.said:
            # Restic holds each pattern against itself, and may not come to what is wrong in it.
            assert not all(is_valid(line.strip()) for line in lines), told
        else:
            assert_equal(theirs, ours, told)
        shutil.rmtree(top.parent)
