"""Each other option of `backup` that stock restic has, too: it does the same on drawn input.

Patterns (`test_sources.py`, `test_patterns.py`), and lists of paths and patterns (`test_lists.py`)
have files of their own; so have the options of `ls`, `snapshots` and `unlock` (`test_listing.py`),
of `forget` (`test_forget.py`), and of `forget` with `--prune` (`test_prune_options.py`).
"""

import argparse
import json
import os
import random
import re
import shutil
import string
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from nightsafe.cli import build_parser

from tests.interop.conftest import find_restic
from tests.support.disks import require_root
from tests.support.interop.pair import Outcome, Pair, assert_equal, shown
from tests.support.programs import leave_out

pytestmark = pytest.mark.interop
ROUNDS = int(os.environ.get("NIGHTSAFE_TEST_ROUNDS", "5"))
CACHE_TAG = "Signature: 8a477f597d28d172789f06886806bc55"
NAMES = ["a", "b", "MARK", "CACHEDIR.TAG", "OTHER", "d", "e"]


@pytest.fixture(autouse=True)
def _own_data_directory() -> None:
    """The agent knows nothing of the server, so there are no settings of it to replace."""


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path / "repository", find_restic())


Both = Callable[..., tuple[Outcome, Outcome]]


@pytest.fixture
def both(pair: Pair, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Both:
    """Back up with both programs; what each came to, restic first."""

    def run(*arguments: str, here: Path) -> tuple[Outcome, Outcome]:
        theirs = pair.by_restic(*arguments, here=here)
        ours = pair.by_us(*arguments, here=here, monkeypatch=monkeypatch, capsys=capsys)
        return theirs, ours

    return run


@pytest.fixture
def top(tmp_path: Path) -> Path:
    (tmp_path / "place").mkdir()
    return tmp_path / "place"


def grow(chance: random.Random, folder: Path, depth: int = 0) -> None:
    """Fill a folder with files of many sizes, markers among them, links and folders."""
    for name in chance.sample(NAMES, chance.randint(2, 5)):
        path = folder / name
        kind = chance.random()
        if kind < 0.4 and depth < 3:
            path.mkdir()
            grow(chance, path, depth + 1)
        elif kind < 0.55:
            path.symlink_to(chance.choice([*NAMES, "long" * 30]))
        else:
            lead = chance.choice(["", "head", CACHE_TAG, CACHE_TAG[:-1], "Signature"])
            path.write_text(lead + "x" * chance.choice([0, 1, 1023, 1024, 1025, 5000]))


def anew(chance: random.Random, top: Path) -> None:
    shutil.rmtree(top)
    top.mkdir()
    grow(chance, top)


def test_exclude_larger_than(chance: random.Random, both: Both, top: Path) -> None:
    for _ in range(ROUNDS):
        anew(chance, top)
        number = chance.choice(["0", "1", "2", "1023", "1024", "1025", "007", "99999"])
        size = number + chance.choice(["", "", "b", "B", "k", "K", "m", "G", "t"])
        theirs, ours = both(f"--exclude-larger-than={size}", ".", here=top)
        assert_equal(theirs, ours, size)


def test_what_is_no_size(both: Both, top: Path) -> None:
    (top / "a").touch()
    for size in ("1KB", "1.5K", " 1", "0x10", "k", "1e3", "-1"):
        theirs, ours = both(f"--exclude-larger-than={size}", ".", here=top)
        # restic 0.14 takes a negative number, and leaves everything out.
        assert theirs.snapshot is None or size == "-1"
        assert (ours.snapshot, ours.status) == (None, 2)


def test_exclude_if_present(chance: random.Random, both: Both, top: Path) -> None:
    for _ in range(2 * ROUNDS):
        anew(chance, top)
        markers = [
            chance.choice(["MARK", "OTHER", "CACHEDIR.TAG", "d/MARK", "a", "none"])
            + chance.choice(["", "", ":", ":head", f":{CACHE_TAG}", ":he:ad"])
            for _ in range(chance.randint(1, 3))
        ]
        options = [f"--exclude-if-present={marker}" for marker in markers]
        source = chance.choice([".", str(top), "../place"])
        assert_equal(*both(*options, source, here=top), (options, source))


def test_exclude_caches(chance: random.Random, both: Both, top: Path) -> None:
    for _ in range(ROUNDS):
        anew(chance, top)
        more = ["--exclude-if-present=MARK"] * chance.randint(0, 1)
        assert_equal(*both("--exclude-caches", *more, ".", here=top), more)


def test_one_file_system(
    chance: random.Random,
    pair: Pair,
    top: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With file systems mounted in it, one in another, and sources on all of them."""
    require_root("only root can mount what is not to be entered")
    if os.system("unshare -m true 2>/dev/null") != 0:
        leave_out("nothing can be mounted here: unshare -m fails")
    for _ in range(ROUNDS):
        shutil.rmtree(top)
        folders = [top, *(top / name for name in ("a", "a/b", "a/b/c", "d", "d/e"))]
        folders[3].mkdir(parents=True)
        folders[5].mkdir(parents=True)
        script = "set -e\n"
        for folder in chance.sample(folders[1:], chance.randint(1, 3)):
            below = [one.relative_to(folder) for one in folders if folder in one.parents]
            script += f"mount -t tmpfs none {folder}\n"
            script += "".join(f"mkdir -p {folder}/{path}\n" for path in below)
        script += "".join(f"echo x > {folder}/file\nln -s x {folder}/link\n" for folder in folders)
        pair.within = ["unshare", "-m", "sh", "-c", script + 'exec "$@"', "sh"]
        here = chance.choice([top, top.parent])
        sources = [str(path) for path in chance.sample(folders, chance.choice([1, 1, 2]))]
        sources = [
            os.path.relpath(path, here) if chance.random() < 0.5 else path for path in sources
        ]
        arguments = ["-x", *sources]
        theirs = pair.by_restic(*arguments, here=here)
        shutil.rmtree(top)  # what was written to the folder itself, not to what was mounted
        folders[3].mkdir(parents=True)
        folders[5].mkdir(parents=True)
        ours = pair.by_us(*arguments, here=here, monkeypatch=monkeypatch, capsys=capsys)
        assert_equal(theirs, ours, (str(here), arguments, script))


def test_tag_and_host(chance: random.Random, both: Both, top: Path) -> None:
    (top / "file").touch()
    words = ["a", "b c", " d", "e ", "", "\u00e4", "\u4e2d", "f\u00a0", "a", '"<&>']
    for _ in range(ROUNDS):
        tags = [",".join(chance.choices(words, k=chance.randint(1, 3))) for _ in range(2)]
        host = chance.choice(["", "other", "\u00fcber", "a b", "x" * 80])
        options = [f"--tag={tag}" for tag in tags[: chance.randint(0, 2)]]
        options += [f"--host={host}"] * chance.randint(0, 1)
        theirs, ours = both(*options, "file", here=top)
        assert_equal(theirs, ours, options)
        assert theirs.snapshot is not None
        assert ours.snapshot is not None
        assert ours.snapshot.tags == theirs.snapshot.tags, shown(options)
        assert ours.snapshot.hostname == theirs.snapshot.hostname, shown(options)


def change(chance: random.Random, folder: Path) -> None:
    """Change some of the files, remove some, and make some."""
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        done = chance.random()
        if done < 0.2:
            path.write_text(path.read_text() + "more")
        elif done < 0.3:
            path.unlink()
        elif done < 0.4:
            path.with_name(f"new-{chance.choice(string.ascii_letters)}").write_text("new")


def counts(outcome: Outcome) -> dict[str, int]:
    """How many files are new, changed and as they were, and how many bytes they have."""
    (summary,) = (
        found
        for line in outcome.said.splitlines()
        if line.startswith("{") and (found := json.loads(line)).get("files_new") is not None
    )
    return {
        "new": summary["files_new"],
        "changed": summary["files_changed"],
        "unchanged": summary.get("files_unmodified", summary.get("files_unchanged")),
        "bytes": summary.get("total_bytes_processed", summary.get("bytes")),
    }


def files_told(outcome: Outcome) -> set[tuple[str, str]]:
    """The files that were told of: whether they are new or changed, and their paths."""
    told = set()
    for line in outcome.said.splitlines():
        event = json.loads(line) if line.startswith("{") else {}
        action = event.get("action") or event.get("state")
        path = event.get("item") or event.get("path", "")
        if action in ("new", "modified", "changed") and not path.endswith("/"):
            told.add(("new" if action == "new" else "changed", path))
    return told


@pytest.mark.parametrize("option", ["--tag=x", "--dry-run", "-n", "--force", "-f"])
def test_dry_run_and_force(
    chance: random.Random,
    both: Both,
    pair: Pair,
    top: Path,
    option: str,
) -> None:
    """What is new and what has changed since the last backup is said; and stored, or not."""
    for _ in range(max(2, ROUNDS // 3)):
        anew(chance, top)
        both(str(top), here=top)
        change(chance, top)
        before = set((pair.place / "data").rglob("*"))
        theirs, ours = both("--json", "--verbose", "--verbose", option, str(top), here=top)
        assert_equal(theirs, ours, option)
        assert counts(ours) == counts(theirs), (theirs.said, ours.said)
        assert files_told(ours) == files_told(theirs), (theirs.said, ours.said)
        if option in ("--dry-run", "-n"):
            assert ours.snapshot is theirs.snapshot is None
            assert set((pair.place / "data").rglob("*")) == before


@pytest.mark.parametrize(
    "verb", ["backup", "check", "forget", "init", "ls", "prune", "restore", "snapshots", "unlock"]
)
def test_options_have_the_same_letters(verb: str) -> None:
    """Of what both have: whoever changes over need not learn them anew."""
    told = subprocess.run([find_restic(), verb, "--help"], capture_output=True, text=True).stdout
    theirs = dict(re.findall(r"^ +-(\w), --([a-z-]+)", told, re.MULTILINE))
    ours = letters_of(verb)
    shared = set(theirs.values()) & set().union(*ours.values())
    assert "help" in shared
    assert {letter for letter, name in theirs.items() if name in shared} == {
        letter for letter, names in ours.items() if theirs.get(letter) in names
    }


def letters_of(verb: str) -> dict[str, set[str]]:
    """The long names of each letter of ours, and under no letter those that have none."""
    (verbs,) = (a for a in build_parser([verb])._actions if isinstance(a.choices, dict))
    assert isinstance(verbs, argparse._SubParsersAction)
    found: dict[str, set[str]] = {}
    for action in verbs.choices[verb]._actions:
        names = {name[2:] for name in action.option_strings if name.startswith("--")}
        letters = [name[1:] for name in action.option_strings if not name.startswith("--")]
        for letter in letters or [""]:
            found.setdefault(letter, set()).update(names)
    return found
