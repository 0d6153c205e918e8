"""Limits from the environment: read, refused, kept."""

import io
import time

import pytest
from pytest_django import Settings

from storage.stores.checks import regions as check
from storage.stores.rate_limits import RateLimit, RateLimited, parse_rate, parse_slots


@pytest.mark.parametrize(
    ("text", "rate"), [("20M", 20e6), ("1.5G", 1.5e9), ("500k", 5e5), (" 7 ", 7.0), ("20 MB", 20e6)]
)
def test_rates_are_read(text: str, rate: float) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "0", "-1", "20MX", "fast", "1e9", "0.0k"])
def test_nonsense_is_no_rate(text: str) -> None:
    with pytest.raises(ValueError, match="is no rate"):
        parse_rate(text)


@pytest.mark.parametrize("text", ["", "0", "-1", "100", "1.5", "many"])
def test_nonsense_is_no_number(text: str) -> None:
    with pytest.raises(ValueError, match="is no number"):
        parse_slots(text)


def test_the_service_refuses_to_start_with_nonsense(settings: Settings) -> None:
    settings.REGIONS = {"a": "/one", "b": "/two"}
    assert check() == []
    settings.COPY_RATES = {"a": "fast"}
    settings.COPIES_AT_ONCE = {"b": "0"}
    settings.SCRUB_RATES = {"c": "5M"}
    assert [found.id for found in check()] == ["storage.E004", "storage.E004", "storage.W003"]


def test_bytes_come_no_faster_than_the_slower_of_two() -> None:
    source = RateLimited(io.BytesIO(bytes(600_000)), RateLimit(1e6), RateLimit(100e6), RateLimit(0))
    begun = time.monotonic()
    while source.read(50_000):
        pass
    assert time.monotonic() - begun > 0.3
