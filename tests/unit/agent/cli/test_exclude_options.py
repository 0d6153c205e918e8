"""The options of a backup that choose: what they do to a snapshot."""

import json
import os
from pathlib import Path

import pytest
from nightsafe.cli import main
from nightsafe.filters.exclude import Excluder, ExcludeRules
from nightsafe.repository.repository import Repository
from nightsafe.scanner.sources import count_sources, leaves, plan_sources

from tests.unit.agent.conftest import PASSPHRASE


@pytest.fixture
def top(tmp_path: Path) -> Path:
    for name in ("keep.c", "drop.o", "Drop.ISO", "deep/er/drop.o", "cache/x", ".Trash-1000/x"):
        path = tmp_path / "top" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x" * 10)
    (tmp_path / "top" / "cache" / "MARK").touch()
    return tmp_path / "top"


@pytest.fixture
def vault(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names a repository and its passphrase."""
    monkeypatch.setenv("NIGHTSAFE_REPOSITORY", repository.storage.location)
    monkeypatch.setenv("NIGHTSAFE_PASSWORD", PASSPHRASE)


@pytest.fixture
def kept(vault: None, top: Path, capsys: pytest.CaptureFixture[str]) -> object:
    """Back up `top` with options; the files in the snapshot, by names below `top`."""

    def run(*options: str) -> set[str]:
        assert main(["backup", *options]) == 0
        capsys.readouterr()
        assert main(["ls", "--json", "latest"]) == 0
        entries = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        files = [entry["path"] for entry in entries if entry["type"] == "file"]
        return {os.path.relpath(path, top) for path in files}

    return run


ALL = {"keep.c", "drop.o", "Drop.ISO", "deep/er/drop.o", "cache/x", "cache/MARK"}


@pytest.mark.parametrize(
    ("options", "left_out"),
    [
        ([], set()),
        (["--exclude", "*.o"], {"drop.o", "deep/er/drop.o"}),
        (["--exclude", "*.o", "--exclude", "!deep/er/drop.o"], {"drop.o"}),
        (["--iexclude", "*.iso"], {"Drop.ISO"}),
        (["--exclude-if-present", "MARK"], {"cache/x"}),
        (["--exclude-larger-than", "9"], ALL - {"cache/MARK"}),
        (["-x"], set()),
    ],
)
def test_options(kept: object, top: Path, options: list[str], left_out: set[str]) -> None:
    assert callable(kept)
    assert ALL - kept(str(top), *options) == left_out


def test_defaults_can_be_turned_off(kept: object, top: Path) -> None:
    assert callable(kept)
    assert ".Trash-1000/x" not in kept(str(top))
    assert ".Trash-1000/x" in kept(str(top), "--no-default-excludes")


def test_a_change_of_excludes_is_seen_by_the_next_backup(kept: object, top: Path) -> None:
    assert callable(kept)
    assert kept(str(top)) == ALL
    assert kept(str(top), "--exclude", "deep") == ALL - {"deep/er/drop.o"}
    assert kept(str(top), "--exclude-larger-than", "5") == {"cache/MARK"}
    assert kept(str(top)) == ALL


def test_lists_of_paths(kept: object, top: Path, tmp_path: Path) -> None:
    assert callable(kept)
    (tmp_path / "list").write_text(f"{top}/*.c\n")
    assert kept("--files-from", str(tmp_path / "list")) == {"keep.c"}
    (tmp_path / "list").write_bytes(os.fsencode(top) + b"/drop.o\0")
    assert kept("--files-from-raw", str(tmp_path / "list")) == {"drop.o"}


@pytest.mark.usefixtures("vault")
def test_a_line_that_no_path_fits_makes_a_backup_incomplete(
    top: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = tmp_path / "list"
    listed.write_text(f"{top}/*.c\n{top}/none-*\n")
    assert main(["backup", "--json", "--files-from", str(listed)]) == 3
    *events, summary = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (issue,) = (event for event in events if event["event"] == "issue")
    assert (issue["kind"], issue["path"]) == ("unreadable", f"{top}/none-*")
    assert str(listed) in issue["text"]
    assert (summary["files_new"], summary["complete"]) == (1, False)
    listed.write_text(f"{top}/none-*\n")
    assert main(["backup", "--files-from", str(listed)]) == 1
    said = capsys.readouterr().err
    assert "none-*" in said
    assert "Say what to back up" in said


def test_nothing_to_back_up_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-r", "/nowhere", "backup"]) == 1
    assert "Say what to back up" in capsys.readouterr().err


def test_a_pattern_without_sense_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-r", "/nowhere", "backup", "/srv", "--exclude", "[a"]) == 1
    assert "makes no sense" in capsys.readouterr().err


def test_what_is_left_out_can_be_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backup", "--show-excludes", "--exclude", "*.o", "--exclude-caches"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "--exclude /proc" in lines
    assert "--exclude *.o" in lines
    assert any(line.startswith("--exclude-if-present CACHEDIR.TAG:Signature") for line in lines)
    assert main(["backup", "--show-excludes", "--no-default-excludes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["patterns"] == []


@pytest.mark.usefixtures("vault")
def test_a_source_that_an_exclude_fits_is_taken_but_not_what_is_in_it(
    top: Path, kept: object, capsys: pytest.CaptureFixture[str]
) -> None:
    """As stock restic takes it since 0.19; that a folder is left empty by this is said."""
    assert callable(kept)
    sources = [str(top / name) for name in ("cache", "deep", "drop.o", "keep.c")]
    excludes = [f"--exclude={pattern}" for pattern in ("cache", str(top / "deep"), "*.o")]
    assert main(["backup", *sources, *excludes, "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    told = {event["path"] for event in events if event["event"] == "issue"}
    assert told == set(sources[:2])
    assert (events[-1]["files_new"], events[-1]["complete"]) == (2, True)
    assert kept(str(top), f"--exclude={top.parent}") == set()


@pytest.mark.usefixtures("vault")
def test_all_that_a_folder_stands_for_may_be_left_out(
    top: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(top)
    assert main(["backup", ".", f"--exclude={top}"]) == 1
    assert "all are excluded" in capsys.readouterr().err


@pytest.mark.usefixtures("vault")
def test_the_forecast_counts_what_is_wanted(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(top)
    wants = Excluder(ExcludeRules(patterns=("*.o", "cache")), [b"."])
    assert count_sources(leaves(plan_sources([b"."], entry_filter=wants)), wants) == (3, 30)
