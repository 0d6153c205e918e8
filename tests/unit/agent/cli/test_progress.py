"""How progress is told: on a terminal, in lines, in JSON."""

import io
import json
import os
import sys
from pathlib import Path

import pytest
from nightsafe.archiver.backup import backup
from nightsafe.cli import output as output_module
from nightsafe.cli.format import progress_line, show_duration
from nightsafe.cli.output import Output
from nightsafe.progress import Advanced, FilesDone, Issue, ProgressMeter, Sent, Totals
from nightsafe.repository.repository import Repository

EVENTS = (
    Totals(4, 4_000_000),
    Advanced(1_000_000),
    Sent(300_000),
    FilesDone([(b"\xff\n", "new", 1_000_000)], lambda name: b"/x/" + name),
    Advanced(1_000_000),
)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def test_a_tally_says_how_far_and_how_long(clock: list[float]) -> None:
    meter = ProgressMeter()
    assert meter.seconds_left is None
    clock[0] += 2
    for event in EVENTS:
        meter(event)
    assert (meter.files, meter.bytes, meter.sent, meter.path) == (
        1,
        2_000_000,
        300_000,
        b"/x/\xff\n",
    )
    assert meter.speed == 1_000_000
    assert meter.seconds_left == 2
    expected = "2.0 MB of 4.0 MB, 1 file, 1.0 MB/s, 300.0 kB sent, 2 s left"
    assert progress_line(meter) == expected


def test_lines_now_and_then_where_there_is_no_terminal(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with Output().observer("backup") as observer:
        for event in EVENTS:
            observer(event)
        assert capsys.readouterr().err == ""
        clock[0] += 31
        observer(Advanced(1))
        observer(Advanced(1))
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("options", [{"quiet": True}, {"progress": False}])
def test_silence_when_asked_for(
    clock: list[float], capsys: pytest.CaptureFixture[str], options: dict[str, bool]
) -> None:
    with Output(**options).observer("backup") as observer:
        clock[0] += 100
        observer(Advanced(1))
        observer(Issue("unreadable", b"/a", "why"))
        observer(Issue("notice", b"", "only so"))
    said = capsys.readouterr().err
    assert said.startswith("/a: why\n")
    assert ("only so" in said) is not options.get("quiet", False)


def test_json_of_progress(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with Output(as_json=True).observer("backup") as observer:
        clock[0] += 2
        for event in EVENTS:
            observer(event)
        clock[0] += 2
        observer(Sent(5))
    first, *_, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["event"] == "progress"
    assert last["bytes_sent"] == 300_005
    assert (last["files"], last["total_files"]) == (1, 4)
    assert (last["bytes_per_second"], last["seconds_left"]) == (500_000, 4)


def test_the_bar_names_speed_time_and_file(monkeypatch: pytest.MonkeyPatch) -> None:
    from nightsafe.cli.progress_bar import ProgressBar

    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", screen)
    for name, value in {"TERM": "xterm", "COLUMNS": "140", "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    with ProgressBar("backup") as bar:
        for event in (*EVENTS, Issue("unreadable", b"/a", "why [red]not[/red]")):
            bar(event)
    shown = screen.getvalue()
    for part in ("backup", "2.0 MB of 4.0 MB", "sent", "left", "/x/\\xff", "why [red]not[/red]"):
        assert part in shown
    assert "\x1b[3" not in shown


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (3000, "50 min"), (7500, "2 h 5 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert show_duration(seconds) == text


def test_plain_lines_are_rare() -> None:
    assert output_module.PLAIN_SECONDS >= 10


def test_a_backup_tells_what_it_sent(repository: Repository, source: Path) -> None:
    (source / "big").write_bytes(os.urandom(3 << 20))
    meter = ProgressMeter()
    report = backup(repository, [os.fsencode(source)], observer=meter)
    packs = Path(repository.storage.location, "data").rglob("*")
    stored = sum(path.stat().st_size for path in packs if path.is_file())
    assert meter.sent == report.count.stored_bytes == stored
    assert meter.files == 4
