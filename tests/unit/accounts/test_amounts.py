"""Bytes, money and moments in words."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from accounts.templatetags.amounts import ago, amount, exactly, price, when
from backup_service import clock


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (None, "0 B"),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (1_250, "1.2 kB"),
        (99_940, "99.9 kB"),
        (99_960, "100 kB"),
        (999_499, "999 kB"),
        (999_600, "1 MB"),
        (5 * 10**9, "5 GB"),
        (128_400_000_000, "128 GB"),
        (3 * 10**15, "3 PB"),
        (10**19, "10000 PB"),
    ],
)
def test_amounts_are_decimal(size: int | None, words: str) -> None:
    assert amount(size).replace("\u00a0", " ") == words


def test_prices_drop_empty_cents() -> None:
    assert [price(500), price(1050), price(0)] == ["$5", "$10.50", "$0"]


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(seconds=-5), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(hours=23, minutes=59), "23 hours ago"),
        (timedelta(days=2), "2 days ago"),
        (timedelta(days=65), "2 months ago"),
        (timedelta(days=800), "2 years ago"),
    ],
)
def test_moments_take_their_largest_unit(span: timedelta, words: str) -> None:
    assert ago(clock.now() - span) == words


def test_a_moment_can_be_pointed_at() -> None:
    assert 'title="' in when(clock.now())
    assert when(None) == "never"


SUMMER = datetime(2026, 7, 1, 22, 30, tzinfo=UTC)
WINTER = datetime(2026, 12, 1, 22, 30, tzinfo=UTC)


def test_a_moment_is_told_in_utc_until_a_zone_is_known() -> None:
    """The page's script may tell it in the browser's zone."""
    assert exactly(SUMMER) == (
        '<time datetime="2026-07-01T22:30:00+00:00" data-local="text">1 Jul 2026, 22:30 UTC</time>'
    )
    assert 'data-local="title" title="1 July 2026, 22:30 UTC"' in when(SUMMER)


def test_a_zone_that_is_known_is_used_with_its_summer_time() -> None:
    with timezone.override("Europe/Berlin"):
        assert exactly(SUMMER) == (
            '<time datetime="2026-07-01T22:30:00+00:00">2 Jul 2026, 00:30 CEST</time>'
        )
        assert "1 Dec 2026, 23:30 CET" in exactly(WINTER)
        assert "data-local" not in when(SUMMER)
