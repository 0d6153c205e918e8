"""Go's way of writing names, strings and times."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from nightsafe.errors import DamagedError
from nightsafe.repofile.go_json import (
    format_time,
    json_name,
    json_string,
    parse_time,
    quote_name,
    unquote_name,
)

from backup_service.env import BASE_DIR

VECTOR = json.loads((BASE_DIR / "tests" / "vectors" / "tree.json").read_text())
SECOND = 1_000_000_000


@pytest.mark.parametrize(("raw", "text"), VECTOR["names"])
def test_names_stand_in_trees_as_go_writes_them(raw: str, text: str) -> None:
    assert json_name(bytes.fromhex(raw)) == text


@pytest.mark.parametrize(("raw", "text"), VECTOR["strings"])
def test_strings_are_written_as_go_writes_them(raw: str, text: str) -> None:
    assert json_string(bytes.fromhex(raw)) == text


@given(st.binary())
@example(b"\xff\xfe\xed\xa0\x80")
@example('\\"\x00\x7f\u2028\ufffd\U0001f600<&>\u00ad\ue000'.encode())
def test_any_name_survives(name: bytes) -> None:
    assert unquote_name(quote_name(name)) == name
    assert unquote_name(json.loads(json_name(name))) == name
    assert json_name(name).isprintable()


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_survives(text: str) -> None:
    assert json.loads(json_string(text.encode())) == text


@pytest.mark.parametrize("text", ["\\", "a\\", "\\q", "\\x1", "\\u12", "\\'", "\\U00110000"])
def test_bad_quoting_is_refused(text: str) -> None:
    with pytest.raises(DamagedError):
        unquote_name(text)


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1, "1970-01-01T00:00:00.000000001Z"),
        (1_500_000_000 * SECOND + 120_000_000, "2017-07-14T02:40:00.12Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
    ],
)
def test_times_in_utc(ns: int, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    set_zone(monkeypatch, "UTC")
    assert format_time(ns) == text
    assert parse_time(text) == ns


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        ("Europe/Berlin", "2017-07-14T04:40:00+02:00"),
        ("America/St_Johns", "2017-07-14T00:10:00-02:30"),
        ("Asia/Kathmandu", "2017-07-14T08:25:00+05:45"),
    ],
)
def test_times_in_the_local_zone(zone: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    set_zone(monkeypatch, zone)
    assert format_time(1_500_000_000 * SECOND) == text
    assert parse_time(text) == 1_500_000_000 * SECOND


def test_a_zone_that_had_odd_seconds_long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    set_zone(monkeypatch, "Europe/Amsterdam")
    ns = -2_000_000_000 * SECOND
    assert parse_time(format_time(ns)) == ns


@given(st.integers(-60_000_000_000 * SECOND, 250_000_000_000 * SECOND))
def test_times_survive(ns: int) -> None:
    assert parse_time(format_time(ns)) == ns


@pytest.mark.parametrize("seconds", [2**33 * 100, -(2**37), 2**62 // SECOND])
def test_wild_times_are_still_written_in_four_digits(seconds: int) -> None:
    parse_time(format_time(seconds * SECOND))


@pytest.mark.parametrize(
    "text", ["", "now", "2017-07-14", "2017-13-14T00:00:00Z", "2017-07-14T02:40:00", "9" * 40]
)
def test_bad_times_are_refused(text: str) -> None:
    with pytest.raises(DamagedError):
        parse_time(text)


def set_zone(monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    import time

    from nightsafe.repofile import go_json

    monkeypatch.setenv("TZ", zone)
    time.tzset()
    go_json.format_second.cache_clear()


@pytest.mark.parametrize(
    ("second", "text"),
    [
        (253402300799, "9999-12-31T23:59:59Z"),
        (253402300800, "9999-01-01T00:00:00Z"),
        (253407398400, "9999-03-01T00:00:00Z"),  # 29 February 10000
        (-62167219200, "0000-01-01T00:00:00Z"),
        (-62162121600, "0000-02-29T00:00:00Z"),
        (-62167219201, "0000-12-31T23:59:59Z"),
        (10413792000, "2300-01-01T00:00:00Z"),
    ],
)
def test_years_that_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, second: int, text: str
) -> None:
    set_zone(monkeypatch, "UTC")
    assert format_time(second * SECOND) == text
    parse_time(text)


@pytest.fixture(autouse=True)
def _zone_afterwards() -> object:
    """Python keeps the zone that `tzset` saw; put it back when the environment is."""
    import os
    import time

    from nightsafe.repofile import go_json

    before = os.environ.get("TZ")
    yield
    if before is None:
        os.environ.pop("TZ", None)
    else:
        os.environ["TZ"] = before
    time.tzset()
    go_json.format_second.cache_clear()
