"""How a vault's figures become a word."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from storage.vault_status.protection import Standing, VaultFigures, judge

NOW = datetime(2026, 5, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
GOOD = VaultFigures(
    objects=10,
    snapshots=2,
    bytes=1000,
    fewest_copies=2,
    last_backup=NOW - timedelta(hours=3),
    unread=0,
)


def standing(**changes: Any) -> Standing:
    return judge(replace(GOOD, **changes), NOW).standing


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Standing.PROTECTED),
        ({"last_backup": NOW - timedelta(hours=48)}, Standing.PROTECTED),
        ({"last_backup": NOW - timedelta(hours=48, seconds=1)}, Standing.LATE),
        ({"last_backup": None, "snapshots": 0}, Standing.NEVER),
        ({"interval": HOUR, "last_backup": NOW - 3 * HOUR}, Standing.LATE),
        ({"interval": HOUR, "last_backup": NOW - 2 * HOUR}, Standing.PROTECTED),
        ({"interval": 168 * HOUR, "last_backup": NOW - 200 * HOUR}, Standing.PROTECTED),
        ({"interval": 168 * HOUR, "last_backup": NOW - 241 * HOUR}, Standing.LATE),
        ({"refused_at": NOW, "refused_text": "Over quota."}, Standing.REFUSED),
        ({"refused_at": NOW, "last_backup": None, "snapshots": 0}, Standing.REFUSED),
        ({"wiped_at": NOW}, Standing.AT_RISK),
        ({"is_retired": True, "last_backup": NOW - 9000 * HOUR}, Standing.RETIRED),
        ({"is_retired": True, "refused_at": NOW}, Standing.RETIRED),
        ({"is_retired": True, "wiped_at": NOW}, Standing.AT_RISK),
        ({"is_closed": True, "last_backup": NOW - 9000 * HOUR}, Standing.CLOSED),
        ({"is_closed": True, "is_retired": True, "refused_at": NOW}, Standing.CLOSED),
        ({"is_closed": True, "lost": 1}, Standing.AT_RISK),
        ({"kept_until": NOW + HOUR, "snapshots": 0, "is_closed": True}, Standing.DELETING),
        ({"lost": 1}, Standing.AT_RISK),
        ({"snapshots": 0}, Standing.AT_RISK),
        ({"parked": 1, "waiting": 1}, Standing.AT_RISK),
        ({"waiting": 3, "waiting_since": NOW - timedelta(minutes=61)}, Standing.AT_RISK),
        (
            {"thin": 3, "waiting": 3, "waiting_since": NOW - timedelta(minutes=5)},
            Standing.COPYING,
        ),
        ({"unread": 1}, Standing.INCOMPLETE),
        ({"unread": None}, Standing.PROTECTED),
        ({"unread": 1, "thin": 3, "waiting": 3, "waiting_since": NOW}, Standing.INCOMPLETE),
        ({"unread": 1, "last_backup": NOW - timedelta(days=9)}, Standing.LATE),
        # Only one replica, and none on its way: a service with a single region.
        ({"thin": 10, "fewest_copies": 1}, Standing.AT_RISK),
        # The worst news comes first.
        ({"lost": 1, "last_backup": NOW - timedelta(days=9)}, Standing.AT_RISK),
        (
            {
                "thin": 1,
                "waiting": 1,
                "waiting_since": NOW,
                "last_backup": NOW - timedelta(days=9),
            },
            Standing.LATE,
        ),
    ],
)
def test_standings(changes: dict[str, object], expected: Standing) -> None:
    assert standing(**changes) is expected


def test_every_standing_says_why() -> None:
    assert judge(GOOD, NOW).reason == "The last backup is complete, with 2 copies of everything."
    assert "1 object." in judge(VaultFigures(lost=1), NOW).reason


@pytest.mark.parametrize(
    ("unread", "said"),
    [
        (1, "lacks 1 path that could not be read"),
        (1200, "lacks 1,200 paths that could not be read"),
    ],
)
def test_what_a_backup_lacks_is_said(unread: int, said: str) -> None:
    assert said in judge(replace(GOOD, unread=unread), NOW).reason


@pytest.mark.parametrize("copying", [False, True])
def test_of_a_program_that_tells_nothing_no_more_is_claimed_than_is_known(copying: bool) -> None:
    """Stock restic does not say whether it could read everything."""
    waiting: dict[str, Any] = {"thin": 3, "waiting": 3, "waiting_since": NOW} if copying else {}
    reason = judge(replace(GOOD, unread=None, **waiting), NOW).reason
    assert "complete" not in reason
    assert reason.startswith("Everything that was sent ")
