"""A pause: when it ends, and that it is none where its file says nothing."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from nightsafe.errors import SettingsError, UsageError
from nightsafe.jobs import pause
from nightsafe.jobs.pause import FOR_EVER, begin_pause, end_pause, pause_end, paused_until
from nightsafe.schedule.wall_clock import find_zone

NOW = datetime(2026, 3, 28, 22, 30, tzinfo=UTC)  # 23:30 in Berlin, where the next day has 23 hours


@pytest.fixture(autouse=True)
def _in_berlin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pause, "local_zone", lambda: find_zone("Europe/Berlin"))


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("", FOR_EVER),
        ("30m", NOW + timedelta(minutes=30)),
        ("2h", NOW + timedelta(hours=2)),
        ("3d", NOW + timedelta(days=3)),
        ("tomorrow", datetime(2026, 3, 28, 23, tzinfo=UTC)),
        (" Tomorrow ", datetime(2026, 3, 28, 23, tzinfo=UTC)),
    ],
)
def test_when_it_ends(text: str, end: datetime) -> None:
    assert pause_end(text, NOW) == end


def test_tomorrow_begins_at_its_first_moment() -> None:
    after = datetime(2026, 3, 29, 10, tzinfo=UTC)  # at noon, summer time
    assert pause_end("tomorrow", after) == datetime(2026, 3, 29, 22, tzinfo=UTC)


@pytest.mark.parametrize("text", ["yesterday", "0m", "-1h", "2", "1e3h", "99999d"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(UsageError, match="no time for a pause"):
        pause_end(text, NOW)


def test_it_stands_in_a_file(tmp_path: Path) -> None:
    folder = str(tmp_path / "state")
    assert paused_until(NOW, folder) is None
    begin_pause(NOW + timedelta(hours=1), folder)
    assert paused_until(NOW, folder) == NOW + timedelta(hours=1)
    assert paused_until(NOW + timedelta(hours=1), folder) is None
    begin_pause(FOR_EVER, folder)
    assert paused_until(NOW + timedelta(days=9999), folder) == FOR_EVER
    assert end_pause(folder)
    assert not end_pause(folder)
    assert paused_until(NOW, folder) is None


OUT_OF_TIME = '{"until": "9999-12-31T23:59:59-01:00"}'


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "[" * 4000, '{"until": 5}', '{"until": "2999-01-01T00:00"}', OUT_OF_TIME],
)
def test_what_cannot_be_read_is_no_pause(tmp_path: Path, text: str) -> None:
    (tmp_path / "pause.json").write_text(text)
    assert paused_until(NOW, str(tmp_path)) is None
    assert end_pause(str(tmp_path))


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot be kept"):
        begin_pause(FOR_EVER, str(tmp_path / "file"))


def test_a_pipe_in_its_place_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pause.json")
    assert paused_until(NOW, str(tmp_path)) is None
