"""The benchmark's own parts: what it measures, compares and claims."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.cases import Results, Setting, measure
from bench.compare import DifferentError, require_same
from bench.datasets import EDIT_SIZE, EDITS, edited
from bench.measure import Cost, FailedError, run
from bench.peers import Before, Nightsafe, Restic, share_start
from bench.report import bounds, table
from bench.targets import judge
from tests.support.peers import restics
from tests.support.programs import leave_out

PEERS = [Nightsafe(Path("unused")), Restic(Path("unused"))]


@pytest.fixture
def stale_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that compare no costs: to freshen memory takes seconds of a processor each time."""
    monkeypatch.setattr("bench.measure.freshen_memory", lambda: None)


def test_restic_is_the_newest_that_is_here(tmp_path: Path) -> None:
    here = restics()
    if not here:
        leave_out("no stock restic is here")
    restic = Restic(tmp_path / "restic")
    said = subprocess.run([here[-1], "version"], capture_output=True, text=True, check=True).stdout
    assert said.startswith(f"{restic.version()} compiled")
    commands = [restic.init_command(), restic.backup_command("x", 0), restic.list_command()]
    commands.append(restic.restore_command(tmp_path, 0))
    assert {command[0] for command in commands} == {here[-1]}
    restic.init()
    assert (restic.repository / "config").exists()


def spend(code: str, tmp_path: Path, *, freshen: bool = True) -> Cost:
    command = [sys.executable, "-c", code]
    return run(command, environment={}, folder=tmp_path, freshen=freshen)


def test_costs_include_children(tmp_path: Path) -> None:
    child = "import time; data = bytearray(90_000_000)\nwhile time.process_time() < 0.6: pass"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    cost = spend(code, tmp_path, freshen=False)  # the next test has memory freshened
    assert cost.cpu >= 0.6
    assert cost.wall >= 0.6
    assert cost.memory >= 90_000_000


def test_a_failing_program_is_not_measured(tmp_path: Path) -> None:
    with pytest.raises(FailedError, match="ended with 3: too bad"):
        spend("print('too bad'); raise SystemExit(3)", tmp_path)


def test_edits_are_made_and_taken_back(tmp_path: Path) -> None:
    file, before = tmp_path / "file", os.urandom(EDIT_SIZE * EDITS * 3)
    file.write_bytes(before)
    with edited(file, seed=1):
        after = file.read_bytes()
        parts = range(0, len(before), EDIT_SIZE)
        changed = sum(before[i : i + EDIT_SIZE] != after[i : i + EDIT_SIZE] for i in parts)
        assert changed == EDITS
    assert file.read_bytes() == before


@pytest.mark.parametrize("change", ["content", "mode", "missing", "extra", "link"])
def test_every_difference_is_found(tmp_path: Path, change: str) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "inner").mkdir(parents=True)
        (tmp_path / name / "inner" / "file").write_bytes(b"same")
        (tmp_path / name / "link").symlink_to("inner/file")
        for path in [*tmp_path.glob(f"{name}/**/*"), tmp_path / name]:
            os.utime(path, ns=(10**18, 10**18), follow_symlinks=False)
    one, two = tmp_path / "one", tmp_path / "two"
    assert require_same(one, two) == 4
    changes: dict[str, Callable[[], object]] = {
        "content": lambda: (two / "inner" / "file").write_bytes(b"sane"),
        "mode": lambda: (two / "inner" / "file").chmod(0o600),
        "missing": lambda: (two / "inner" / "file").unlink(),
        "extra": lambda: (two / "inner" / "more").touch(),
        "link": lambda: (tmp_path / "elsewhere").rename(two / "link"),
    }
    (tmp_path / "elsewhere").symlink_to("elsewhere")
    changes[change]()
    for path in [*two.glob("**/*"), two]:
        os.utime(path, ns=(10**18, 10**18), follow_symlinks=False)
    with pytest.raises(DifferentError):
        require_same(one, two)


def test_the_table_says_medians_ratios_and_targets() -> None:
    results = Results()
    for wall in (1.0, 2.0, 9.0):
        results.costs["a first", "nightsafe"].append(Cost(wall, 1.0, 260_000_000))
        results.costs["a first", "restic"].append(Cost(wall * 1.9, 1.0, 1))
    results.sizes["a first", "nightsafe"], results.sizes["a first", "restic"] = 103, 100
    (row,) = [line for line in table(results, PEERS).splitlines() if "restic" in line]
    assert "3.80" in row
    assert "1.90" in row
    assert "must" in row
    assert "must" not in table(results, PEERS, judged=False)
    memory, size = bounds(results)
    assert "260 MB of 250: MISSED" in memory
    assert "+3.0 %" in size
    assert "MISSED" in size


def test_ratios_are_of_the_same_round() -> None:
    """One of the machine's slow rounds weighs on both programs, and so on neither."""
    results = Results()
    for ours, theirs in ((1.0, 2.0), (5.0, 10.0), (6.0, 4.0)):
        results.costs["a first", "nightsafe"].append(Cost(ours, 1.0, 1))
        results.costs["a first", "restic"].append(Cost(theirs, 3.0, 1))
    (row,) = [line for line in table(results, PEERS).splitlines() if "restic" in line]
    wall, *_, ratio, by_cpu = (cell.strip() for cell in row.split("|")[3:9])
    assert (wall, ratio, by_cpu) == ("4.00", "2.00", "3.00")


@pytest.mark.parametrize(
    ("ratio", "word"), [(1.79, "MISSED"), (1.8, "must"), (2.29, "must"), (2.3, "goal")]
)
def test_a_target_is_judged(ratio: float, word: str) -> None:
    assert judge("a first", "restic", ratio) == word
    assert judge("g first", "restic", ratio) == ""


@pytest.mark.parametrize(("ratio", "word"), [(0.969, "MISSED"), (0.97, "must"), (1.5, "must")])
def test_another_build_is_judged_in_every_case(ratio: float, word: str) -> None:
    assert judge("g next", "before", ratio) == word


@pytest.mark.usefixtures("stale_memory")
def test_another_build_is_measured_as_this_one_is(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "file").write_bytes(b"content")
    own = Path(sys.executable).with_name("nightsafe")
    before = Before(tmp_path / "before", own)
    before.init()
    before.backup(tmp_path / "source", 0)
    before.restore(tmp_path / "target", 0)
    require_same(tmp_path / "source", tmp_path / "target" / "source")


@pytest.mark.usefixtures("stale_memory")
def test_two_builds_begin_with_one_vault(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"x")
    ours = Nightsafe(tmp_path / "nightsafe")
    theirs = Before(tmp_path / "before", Nightsafe.program)
    share_start(ours, theirs)
    keys = set()
    for build in (ours, theirs, ours):
        build.init()
        keys |= {key.read_bytes() for key in (build.repository / "keys").iterdir()}
        assert not list((build.repository / "snapshots").iterdir())
        build.backup(tmp_path / "source", 0)
        assert len(list((build.repository / "snapshots").iterdir())) == 1
    assert len(keys) == 1


@pytest.mark.usefixtures("stale_memory")
def test_a_program_that_has_no_part_in_a_case_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Blind(Nightsafe):
        name = "blind"
        verifies_what_is_there = False

    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "h").write_bytes(b"x")
    monkeypatch.setattr(Setting, "data", lambda setting, letter: setting.scratch / "d" / letter)
    (tmp_path / "work").mkdir()
    peers = [Blind(tmp_path / "work" / "blind"), Nightsafe(tmp_path / "work" / "nightsafe")]
    results = measure("h", Setting(tmp_path), peers, repeat=2, results=Results())
    assert {peer for _, peer in results.costs} == {"nightsafe"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--before", "/nowhere/nightsafe"], "/nowhere/nightsafe is not a program"),
        (["--before", "/usr/bin/env", "--write"], "not a program"),  # no Python beside it
        (["--before", f"{sys.executable}", "--write"], "one build only"),
    ],
)
def test_what_is_no_other_build_is_said(options: list[str], said: str) -> None:
    command = [sys.executable, "-m", "bench", *options]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert said in run.stderr
