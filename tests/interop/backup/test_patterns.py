"""Patterns mean what they mean to stock restic: what it keeps of a tree, we keep."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nightsafe.backend.local import LocalBackend
from nightsafe.errors import UsageError
from nightsafe.filters.exclude import Excluder, ExcludeRules

from tests.interop.conftest import PASSPHRASE, find_restic
from tests.support import repositories

pytestmark = pytest.mark.interop
NAMES = ["a", "b", "ab", "A", "a.b", "[x]", "b*", "\u00e4", "-", "\u4e2db"]
PARTS = [*NAMES, "*", "a*", "*b", "?", "??", "[ab]", "[^a]", "[a-c]*", r"\[x\]", r"b\*", "**"]
PARTS += ["[", "[]", "[a-]", "[!a]", "[^^]", "*.*", ".", "..", "]", "a]", "[z-a]"]
PATTERNS = st.builds(
    lambda negates, parts: negates + "/".join(parts),
    st.sampled_from(["", "", "", "!"]),
    st.lists(st.sampled_from(PARTS), min_size=1, max_size=4),
)
ABSOLUTE = st.builds(lambda pattern: ("ROOT/" + pattern).replace("ROOT/!", "!ROOT/"), PATTERNS)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder `tree` of many names, and an empty repository that is quick to open."""
    top = tmp_path_factory.mktemp("patterns")
    for one in NAMES:
        for two in NAMES:
            (top / "tree" / one / two).mkdir(parents=True)
            for three in NAMES[:5]:
                (top / "tree" / one / two / three).touch()
    repositories.make(LocalBackend(str(top / "vault")), PASSPHRASE)
    return top


def kept_by_restic(place: Path, options: list[str]) -> set[str] | None:
    """Relative names of what stock restic keeps; None when it refuses the patterns."""
    done = subprocess.run(
        [find_restic(), "--no-cache", "backup", "--dry-run", "-vv", str(place / "tree"), *options],
        env={
            **os.environ,
            "RESTIC_REPOSITORY": str(place / "vault"),
            "RESTIC_PASSWORD": PASSPHRASE,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if "invalid pattern" in done.stderr:
        return None
    start = f"new       {place}/tree/"
    lines = [line for line in done.stdout.splitlines() if line.startswith(start)]
    names = {line.removeprefix(start).rsplit(", saved in", 1)[0].rstrip("/") for line in lines}
    return names - {""}


def kept_by_us(place: Path, rules: ExcludeRules) -> set[str] | None:
    top = os.fsencode(place / "tree")
    try:
        excluder = Excluder(rules, [top])
    except UsageError:
        return None
    kept: set[str] = set()
    if excluder.excludes(top):
        return kept
    todo = [top]
    while todo:
        folder = todo.pop()
        for name in os.listdir(folder):
            path = os.path.join(folder, name)
            status = os.lstat(path)
            if excluder(path, name, status):
                kept.add(os.fsdecode(os.path.relpath(path, top)))
                if os.path.isdir(path):
                    todo.append(path)
    return kept


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.lists(PATTERNS | ABSOLUTE, min_size=1, max_size=3),
    st.lists(PATTERNS, max_size=1),
)
def test_the_same_is_left_out(place: Path, patterns: list[str], caseless: list[str]) -> None:
    patterns = [pattern.replace("ROOT", str(place / "tree")) for pattern in patterns]
    options = [f"--exclude={pattern}" for pattern in patterns]
    options += [f"--iexclude={pattern}" for pattern in caseless]
    rules = ExcludeRules(patterns=tuple(patterns), caseless=tuple(caseless))
    assert kept_by_us(place, rules) == kept_by_restic(place, options)
