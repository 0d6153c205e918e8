"""What is remembered of a job: kept whole, and never a lost schedule where it is damaged."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from nightsafe.errors import SettingsError
from nightsafe.jobs import clock
from nightsafe.jobs.job_state import JobState, JobStates

NOW = datetime(2026, 12, 1, 2, 30, tzinfo=UTC)
SNAPSHOT = "ab" * 32
RAN = (
    JobState(added=NOW)
    .begun(NOW)
    .ended(NOW + timedelta(minutes=3), "incomplete", snapshot=SNAPSHOT, unread=2)
)


@pytest.fixture
def states(tmp_path: Path) -> JobStates:
    return JobStates(str(tmp_path / "state"))


def file_of(tmp_path: Path) -> Path:
    return tmp_path / "state" / "jobs" / "x.json"


def test_what_is_kept_is_read_again(states: JobStates, tmp_path: Path) -> None:
    assert states.load("x") is None
    for state in (JobState(), JobState(added=NOW), JobState().begun(NOW), RAN):
        states.save("x", state)
        assert JobStates(str(tmp_path / "state")).load("x") == state
    assert os.listdir(file_of(tmp_path).parent) == ["x.json"]
    assert file_of(tmp_path).stat().st_mode & 0o777 == 0o600
    states.remove("x")
    states.remove("x")
    assert states.load("x") is None


def test_runs_that_make_no_snapshot_keep_what_was_saved() -> None:
    failed = RAN.begun(NOW + timedelta(days=1)).ended(NOW, "failed", error="No room." * 1000)
    assert (failed.saved, failed.snapshot, failed.failures) == (NOW, SNAPSHOT, 1)
    assert len(failed.error) == 500
    again = failed.begun(NOW).ended(NOW, "failed")
    assert again.failures == 2
    assert again.begun(NOW).ended(NOW, "complete", snapshot=SNAPSHOT).failures == 0


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [(0, 0, 0), (19, 0, 0), (20, 10, 0), (20, 9, 20), (1000, 0, 1000), (1000, 2000, 0)],
)
def test_that_most_files_are_gone_is_remembered(before: int, now: int, told: int) -> None:
    first = JobState().begun(NOW).ended(NOW, "complete", snapshot=SNAPSHOT, files=before)
    state = first.begun(NOW).ended(NOW, "complete", snapshot="cd" * 32, files=now)
    assert (state.files, state.files_before) == (now, told)
    # It is told until the files are back, whatever comes between.
    assert state.begun(NOW).ended(NOW, "failed").files_before == told
    again = state.begun(NOW).ended(NOW, "complete", snapshot=SNAPSHOT, files=now)
    assert again.files_before == told
    back = again.begun(NOW).ended(NOW, "complete", snapshot=SNAPSHOT, files=before)
    assert back.files_before == 0


def test_what_an_earlier_version_has_written_is_read(states: JobStates, tmp_path: Path) -> None:
    states.save("x", RAN)
    fields = json.loads(file_of(tmp_path).read_text())
    for name in ("files", "files_before", "unread_paths"):
        del fields[name]
    file_of(tmp_path).write_text(json.dumps(fields))
    assert states.load("x") == RAN


def damaged() -> list[str]:
    fields = json.loads(json.dumps({"added": None, "started": NOW.isoformat()}))
    whole = fields | {
        "finished": None,
        "saved": None,
        "outcome": "",
        "snapshot": "",
        "unread": 0,
        "failures": 0,
        "error": "",
    }
    wrong = [
        {"outcome": "perhaps"},
        {"snapshot": "../x"},
        {"unread": -1},
        {"unread": "1"},
        {"failures": True},
        {"error": None},
        {"started": "yesterday"},
        {"started": "2026-12-01T02:30:00"},
        {"started": "0001-01-01T00:00:00+00:00"},
        {"started": 5},
    ]
    texts = ["", "{", "[]", "3", "null", "{}", "\x00" * 300]
    return texts + [json.dumps(whole | change) for change in wrong]


@pytest.mark.parametrize("text", damaged())
def test_what_is_damaged_is_put_aside_and_the_job_is_due(
    states: JobStates, tmp_path: Path, text: str
) -> None:
    states.save("x", RAN)
    file_of(tmp_path).write_text(text)
    assert states.load("x") == JobState()
    assert (file_of(tmp_path).parent / "x.json.damaged").read_text() == text
    assert states.load("x") is None
    states.save("x", RAN)
    assert states.load("x") == RAN


def test_what_cannot_be_kept_is_remembered_meanwhile(states: JobStates, tmp_path: Path) -> None:
    file_of(tmp_path).parent.mkdir(parents=True)
    file_of(tmp_path).mkdir()  # which no file takes the place of
    with pytest.raises(SettingsError, match="What became of job x cannot be kept"):
        states.save("x", RAN)
    assert states.load("x") == RAN
    file_of(tmp_path).rmdir()
    states.save("x", RAN)
    assert JobStates(str(tmp_path / "state")).load("x") == RAN
    assert os.listdir(file_of(tmp_path).parent) == ["x.json"]


def test_what_cannot_be_read_is_no_job_that_never_ran(states: JobStates, tmp_path: Path) -> None:
    file_of(tmp_path).mkdir(parents=True)
    with pytest.raises(SettingsError, match="cannot be read"):
        states.load("x")


def test_the_clock_can_be_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "clock"
    monkeypatch.setenv("NIGHTSAFE_CLOCK", str(file))
    before = clock.now()
    file.write_text("86400")
    moved = clock.now() - before
    assert timedelta(days=1) <= moved < timedelta(days=1, minutes=1)
    assert clock.now().microsecond == 0
    for text in ("", "soon", "nan", "1e300"):
        file.write_text(text)
        assert clock.now() - before < timedelta(minutes=1)
