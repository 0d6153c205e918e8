"""The clock of an embedded service can be moved, and no other."""

import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from backup_service import clock
from storage import wakeups
from storage.database import elapsed_time
from storage.models import ClockJump

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> dict[str, Any]:
    out = io.StringIO()
    call_command("clock", *arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


@pytest.fixture
def file(settings: Settings, tmp_path: Path) -> Path:
    settings.CLOCK_FILE = tmp_path / "clock"
    return tmp_path / "clock"


def test_forward_and_back(file: Path) -> None:
    before = clock.now()
    assert run("show")["ahead_seconds"] == 0
    assert run("advance", "15d")["ahead_seconds"] == 15 * 86400
    assert run("advance", "12h")["ahead_seconds"] == 15.5 * 86400
    assert clock.now() - before >= timedelta(days=15, hours=12)
    assert run("reset")["ahead_seconds"] == 0
    assert clock.now() - before < timedelta(days=1)


def test_the_time_is_seen_to_pass(file: Path) -> None:
    elapsed_time.observe()
    before = elapsed_time.grace_began_before()
    run("advance", "40d")
    assert elapsed_time.observe() is None
    assert not ClockJump.objects.exists()
    assert elapsed_time.grace_began_before() - before >= timedelta(days=40)


@pytest.mark.parametrize("span", ["", "15", "15y", "-1d", "1.5d", "d", "٣d", "1d1h", "999999w"])
def test_spans_that_are_none(file: Path, span: str) -> None:
    with pytest.raises(CommandError, match=r"span of time|days ahead|required"):
        run("advance", span)
    assert not file.exists()


def test_not_in_production(settings: Settings) -> None:
    settings.CLOCK_FILE = None
    with pytest.raises(CommandError, match="embedded"):
        run("advance", "1d")


def test_the_workers_do_at_once_what_is_due(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[timedelta] = []
    monkeypatch.setattr(wakeups, "everything", lambda: asked.append(clock.ahead()))
    run("show")
    run("reset")
    assert asked == []
    run("advance", "15d")
    assert asked == [timedelta(days=15)]  # after it was moved, not before


def test_a_file_that_holds_nonsense_is_no_offset(file: Path) -> None:
    file.write_text("soon")
    assert clock.ahead() == timedelta(0)
