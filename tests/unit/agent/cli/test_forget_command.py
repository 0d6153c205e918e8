"""`forget` and `prune` at the command line: what they say, ask and remove."""

import json
import os
import re
from pathlib import Path

import pytest
from nightsafe.archiver.backup import BackupOptions, backup
from nightsafe.backend.base import ObjectKind
from nightsafe.cli import main
from nightsafe.repofile.go_json import parse_time
from nightsafe.repofile.snapshot import Snapshot
from nightsafe.repository.repository import Repository

from tests.unit.agent.conftest import PASSPHRASE, reopen


@pytest.fixture(autouse=True)
def _settings(repository: Repository, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three snapshots: two of one host, one of another."""
    monkeypatch.setenv("NIGHTSAFE_PASSWORD", PASSPHRASE)
    monkeypatch.setenv("NIGHTSAFE_REPOSITORY", repository.storage.location)
    for host in ("one", "one", "two"):
        (source / "changing").write_bytes(os.urandom(100_000))
        options = BackupOptions(hostname=host)
        backup(reopen(repository), [os.fsencode(source)], options)


def ids(repository: Repository) -> list[str]:
    return [snapshot.id for snapshot in repository.load_snapshots().sound]


def test_rules_by_group(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    first, second, other = ids(repository)
    assert main(["forget", "--keep-last", "1", "--yes"]) == 0
    assert ids(repository) == [second, other]
    said = capsys.readouterr().out
    assert f"forget {first[:8]}" in said
    assert "(last snapshot)" in said


def test_times_have_the_zone_they_were_taken_in(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    stamp = "2024-07-01T12:30:00.25+05:45"
    plain = Snapshot(time=0, tree=bytes(32), paths=("/p",)).encode()
    text = re.sub(rb'"time":"[^"]*"', f'"time":"{stamp}"'.encode(), plain)
    repository.save_text(ObjectKind.SNAPSHOT, text)
    assert main(["forget", "--keep-last", "1", "--dry-run", "--json"]) == 0
    groups = json.loads(capsys.readouterr().out)["groups"]
    stamps = {one["time"] for group in groups for one in group["keep"] + group["remove"]}
    assert stamp in stamps
    assert all(re.fullmatch(r"[-0-9]+T[0-9:.]+(Z|[-+]\d\d:\d\d)", one) for one in stamps)
    assert main(["snapshots", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["snapshots"][0]["time"] == stamp
    assert main(["ls", "latest", "--json"]) == 0
    for line in capsys.readouterr().out.splitlines():
        assert parse_time(json.loads(line)["mtime"]) > 10**18


def test_one_group(repository: Repository) -> None:
    newest = ids(repository)[-1]
    assert main(["forget", "--keep-last", "1", "--group-by", "", "--yes"]) == 0
    assert ids(repository) == [newest]


def test_by_id_and_prune(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    first, second, other = ids(repository)
    options = ["--yes", "--prune", "--max-unused", "0", "--json"]
    assert main(["forget", first[:8], second, *options]) == 0
    assert ids(repository) == [other]
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0]["removed"] == 2
    assert lines[-1]["event"] == "summary"
    assert lines[-1]["freed_bytes"] > 200_000
    assert main(["check", "--read-data"]) == 0


@pytest.mark.parametrize("verb", ["forget", "prune"])
def test_a_dry_run_changes_nothing(
    repository: Repository, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    before = ids(repository)
    options = ["--keep-last", "1"] if verb == "forget" else []
    assert main([verb, *options, "--dry-run"]) == 0
    assert ids(repository) == before
    assert "would" in capsys.readouterr().out


def test_without_a_terminal_somebody_must_say_yes(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    before = ids(repository)
    assert main(["forget", "--keep-last", "1"]) == 1
    assert ids(repository) == before
    assert "--yes" in capsys.readouterr().err


@pytest.mark.parametrize("answer", ["y", "n", ""])
def test_the_answer_counts(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdin.readline", lambda: answer + "\n", raising=False)
    assert main(["forget", "--keep-last", "1"]) == (0 if answer == "y" else 1)
    assert len(ids(repository)) == (2 if answer == "y" else 3)


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--keep-within", "soon"],
        ["--keep-last", "1", "--group-by", "colour"],
        ["--keep-last", "1", "latest"],
        ["--keep-last", "1", "--max-unused", "much"],
        ["0000"],
    ],
)
def test_nonsense_forgets_nothing(
    repository: Repository, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    assert main(["forget", "--yes", *options]) == 1
    assert len(ids(repository)) == 3
    assert "nightsafe:" in capsys.readouterr().err
