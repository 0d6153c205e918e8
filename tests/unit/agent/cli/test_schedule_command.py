"""`nightsafe schedule next`: what people and programs are told of a schedule."""

import json

import pytest
from nightsafe.cli import main

NEXT = ["schedule", "next", "--zone", "Europe/Berlin"]
NIGHT = ["--from", "2026-03-28T12:00:00"]


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert main([*NEXT, *arguments, "--json"]) == 0
    found: list[str] = json.loads(capsys.readouterr().out)["next"]
    return found


def test_people_get_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*NEXT, *NIGHT, "--spec", "daily 02:30", "--count", "2"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        *("2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"),
    ]


def test_ten_unless_told_otherwise(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(told(capsys, "--spec", "hourly")) == 10


def test_times_with_and_without_an_offset(capsys: pytest.CaptureFixture[str]) -> None:
    spec = ["--spec", "every 6h", "--count", "1"]
    assert told(capsys, *spec, "--from", "2026-03-28T12:00:00") == ["2026-03-28T18:00:00+01:00"]
    assert told(capsys, *spec, "--from", "2026-03-28T11:00:00Z") == ["2026-03-28T18:00:00+01:00"]


def test_what_was_missed_windows_and_blackouts(capsys: pytest.CaptureFixture[str]) -> None:
    told_of = ["--spec", "daily 12:00", "--last", "2026-03-20T12:00", "--count", "2", *NIGHT]
    assert told(capsys, *told_of) == ["2026-03-28T12:00:00+01:00", "2026-03-29T12:00:00+02:00"]
    hours = ["--window", "22:00-06:00", "--blackout", "sat 22:00-23:00"]
    assert told(capsys, *told_of, *hours) == [
        *("2026-03-28T23:00:00+01:00", "2026-03-29T22:00:00+02:00"),
    ]


def test_this_computer_s_zone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    arguments = ["schedule", "next", "--spec", "daily 02:30", "--from", "2026-03-28T12:00"]
    assert main([*arguments, "--count", "1"]) == 0
    assert capsys.readouterr().out == "2026-03-29T02:30:00+05:30\n"


def test_a_schedule_without_times(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "--spec", "manually") == []
    assert main([*NEXT, "--spec", "continuously"]) == 0
    assert capsys.readouterr().out == "'continuously' has no times of its own.\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--spec", "sometimes"], "'sometimes' is not a schedule; write it like: daily 02:30"),
        (["--spec", "daily 02:30", "--from", "noon"], "'noon' is no time"),
        (["--spec", "daily 02:30", "--from", "9999-12-31T23:59:59-12:00"], "is no time"),
        (["--spec", "daily 02:30", "--last", "0001-01-01T00:00:00Z"], "is no time"),
        (["--spec", "daily 02:30", "--zone", "Mars/Base"], "is no time zone that this computer"),
        (["--spec", "daily 02:30", "--zone", "../etc/passwd"], "is no time zone that this"),
        (["--spec", "daily 02:30", "--window", "always"], "'always' is no span of time"),
    ],
)
def test_what_cannot_be_read_is_said(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main([*NEXT, *arguments]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("count", ["0", "-1", "10001", "many"])
def test_how_many_is_bounded(count: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([*NEXT, "--spec", "hourly", "--count", count])
    assert "no whole number from 1 to 10000" in capsys.readouterr().err


def test_a_verb_of_its_own_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["schedule"])
    assert "the following arguments are required: VERB" in capsys.readouterr().err
