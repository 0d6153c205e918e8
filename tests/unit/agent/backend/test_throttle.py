"""How fast bytes pass: by the hour, for all together, and never more than was said."""

import io
import pickle
import struct
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from nightsafe.backend import throttle
from nightsafe.backend.base import ObjectKind
from nightsafe.backend.rest import RestBackend
from nightsafe.backend.rest_url import Credential
from nightsafe.backend.throttle import Limit, Line, SlowBody, Throttle, parse_limit
from nightsafe.cli import main
from nightsafe.errors import UsageError

from tests.support.agent.rest_server import SECRET, USER, RestServer

MONDAY = datetime(2026, 11, 30, 12, tzinfo=UTC)


class Clock:
    """The time of a test, in which sleeping takes none."""

    def __init__(self) -> None:
        self.time = 1000.0

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        assert 0 < seconds < 100
        self.time += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(throttle, "time", found)
    monkeypatch.setattr(throttle, "local_zone", lambda: UTC)
    return found


@pytest.mark.parametrize(
    ("text", "rate"), [("500K", 500 << 10), ("2M", 2 << 20), ("300", 300 << 10), ("0", 0)]
)
def test_what_a_limit_says(text: str, rate: int) -> None:
    assert parse_limit(text) == Limit(rate)
    limit = parse_limit(f" {text} mon-fri 09:00-18:00")
    assert limit.rate == rate
    assert limit.hours is not None
    assert limit.hours.is_open(MONDAY, UTC)
    assert not limit.hours.is_open(MONDAY.replace(hour=18), UTC)


@pytest.mark.parametrize("text", ["", "fast", "-1", "1.5M", "500K 25:00-26:00", "500K always"])
def test_what_is_no_limit(text: str) -> None:
    with pytest.raises(UsageError, match="is no limit"):
        parse_limit(text)


def test_the_first_that_fits_the_hour_holds(clock: Clock, tmp_path: Path) -> None:
    limits = [parse_limit("500K mon-fri 09:00-18:00"), parse_limit("0 22:00-06:00")]
    path = str(tmp_path / "line")
    for hour, rate in ((9, 500 << 10), (18, 5 << 20), (22, 0), (3, 0), (7, 5 << 20)):
        now = MONDAY.replace(hour=hour)
        shaped = Throttle([*limits, parse_limit("5M")], path, lambda now=now: now)  # type: ignore[misc]
        assert shaped.rate() == rate, hour
    assert Throttle(limits, path, lambda: MONDAY.replace(hour=20)).rate() == 0


@pytest.mark.parametrize("rate", [1 << 10, 100_000, 3_000_000, 1 << 30])
def test_bytes_take_as_long_as_they_may(clock: Clock, tmp_path: Path, rate: int) -> None:
    shaped = Throttle([Limit(rate)], str(tmp_path / "line"))
    begun, sent = clock.time, 0
    while clock.time < begun + 60 and sent < 1 << 30:
        shaped.pass_on(shaped.piece())
        sent += shaped.piece()
    took = clock.time - begun
    assert took * rate == pytest.approx(sent - shaped.piece(), rel=0.01, abs=1)


def test_several_are_together_as_fast_as_one(clock: Clock, tmp_path: Path) -> None:
    path = str(tmp_path / "line")
    several = [Throttle([Limit(100_000)], path) for _ in range(5)]
    begun = clock.time
    for _ in range(20):
        for one in several:
            one.pass_on(10_000)
    assert clock.time - begun == pytest.approx(100 * 10_000 / 100_000, rel=0.02)
    clock.time += 50  # what nobody used is not saved up
    begun = clock.time
    several[0].pass_on(10_000)
    several[1].pass_on(10_000)
    assert clock.time - begun == pytest.approx(0.1)


@pytest.mark.parametrize("content", [b"", b"x", b"\xff" * 8, struct.pack("<d", 9e9)])
def test_a_file_that_says_nothing_holds_nobody_up(
    clock: Clock, tmp_path: Path, content: bytes
) -> None:
    """As after a start of the computer, with which its clock begins anew."""
    (tmp_path / "line").write_bytes(content)
    shaped, begun = Throttle([Limit(1000)], str(tmp_path / "line")), clock.time
    shaped.pass_on(1000)
    assert clock.time == begun
    shaped.pass_on(1000)
    assert clock.time == begun + 1


def test_where_nothing_can_be_shared_each_is_limited(clock: Clock, tmp_path: Path) -> None:
    shaped, begun = Throttle([Limit(1000)], str(tmp_path / "none" / "line")), clock.time
    for _ in range(3):
        shaped.pass_on(1000)
    assert clock.time == begun + 2


def test_a_body_is_whole(tmp_path: Path) -> None:
    body = bytes(range(256)) * 500
    slow = SlowBody(io.BytesIO(body), Throttle([Limit(100 << 20)], str(tmp_path / "line")))
    parts = iter(lambda: slow.read(5000), b"")
    assert b"".join(parts) == body
    assert SlowBody(io.BytesIO(b"x" * 10), Throttle([], str(tmp_path / "line"))).read() == b"x" * 10


def test_it_goes_along_to_other_processes(tmp_path: Path) -> None:
    line = Line(up=Throttle([parse_limit("5M")], str(tmp_path / "line")))
    copy = pickle.loads(pickle.dumps(line))
    assert copy.up.rate() == 5 << 20
    assert copy.up.path == str(tmp_path / "line")


def test_a_server_gets_and_gives_no_more_than_was_said(server: RestServer, tmp_path: Path) -> None:
    up = Throttle([Limit(200_000)], str(tmp_path / "up"))
    down = Throttle([Limit(200_000)], str(tmp_path / "down"))
    backend = RestBackend(server.url, Credential(USER, SECRET), line=Line(up, down))
    data = bytes(range(250)) * 400  # 100 kB
    backend.create()

    def save(number: int) -> None:
        backend.save(ObjectKind.DATA, f"{number:064x}", data)

    begun = time.monotonic()
    threads = [threading.Thread(target=save, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - begun >= 1.3
    begun = time.monotonic()
    for number in range(3):
        assert backend.load(ObjectKind.DATA, f"{number:064x}") == data
    assert time.monotonic() - begun >= 1.3
    backend.close()


def test_on_the_command_line(
    server: RestServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in (("USERNAME", USER), ("SECRET", SECRET), ("PASSWORD", "x")):
        monkeypatch.setenv(f"NIGHTSAFE_{name}", value)
    common = ["-r", server.url, "--limit-upload", "3M 00:00-24:00", "--limit-upload", "0"]
    assert main([*common, "snapshots"]) == 1
    assert "There is no repository" in capsys.readouterr().err
    assert (tmp_path / "state-dir").is_dir()
    assert main(["snapshots", *common[:2], "--limit-download=fast"]) == 1
    assert "'fast' is no limit" in capsys.readouterr().err
