"""When something is an alarm: the rules, figure by figure, and that silence is one."""

import dataclasses
from typing import Any

import pytest

from storage.monitoring.rules import Figures, RegionFigures, judge

WELL = RegionFigures(alias="a", waiting=3, waiting_bytes=10**9, waiting_age=60, canary_age=600)


def keys(figures: Figures) -> list[str]:
    return [found.key for found in judge(figures)]


def test_a_service_that_is_well_has_no_alarm() -> None:
    assert keys(Figures([WELL], worker_age=10, scrub_silence=90)) == []


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"waiting_age": 901}, "copies:a"),
        ({"parked": 1}, "parked:a"),
        ({"unread_age": 3601}, "unread:a"),
        ({"scrub_age": 30 * 86400 + 1}, "scrub:a"),
        ({"canary_age": 3 * 3600 + 1}, "canary:a"),
        ({"canary_error": "it came back changed"}, "canary:a"),
        ({"away": 601}, "away:a"),
        ({"is_full": True}, "full:a"),
        ({"strange": 1}, "strange:a"),
    ],
)
def test_each_figure_of_a_region_fires_by_itself(change: dict[str, Any], key: str) -> None:
    assert keys(Figures([dataclasses.replace(WELL, **change)])) == [key]


@pytest.mark.parametrize(
    ("figures", "key"),
    [
        (Figures(lost=1, lost_vaults=1), "lost"),
        (Figures(worker_age=301), "worker"),
        (Figures(scrub_silence=3601), "scrub"),
        (Figures(sweep_silence=3601), "sweep"),
        (Figures(doubt="The clock went wrong."), "doubt"),
        (Figures(is_capped=True), "capped"),
        (Figures(given_up_closings=1), "closings"),
        (Figures(mail_error="refused"), "mail"),
        (Figures(has_recipients=False), "nobody"),
        (Figures(promised=3, reachable=2), "places"),
    ],
)
def test_each_figure_of_the_service_fires_by_itself(figures: Figures, key: str) -> None:
    assert keys(figures) == [key]


@pytest.mark.parametrize(
    "change", [{"waiting_age": 900}, {"scrub_age": 30 * 86400}, {"canary_age": 3 * 3600}]
)
def test_nothing_fires_early(change: dict[str, Any]) -> None:
    assert keys(Figures([dataclasses.replace(WELL, **change)])) == []


def test_as_many_places_as_replicas_are_promised_are_enough() -> None:
    assert keys(Figures(promised=2, reachable=2)) == keys(Figures(promised=0, reachable=0)) == []


def test_a_region_that_takes_nothing_owes_no_replicas_and_no_canary() -> None:
    idle = dataclasses.replace(WELL, takes=False, waiting_age=1e9, canary_age=1e9)
    assert keys(Figures([idle])) == []


def test_every_alarm_says_what_to_do() -> None:
    everything = RegionFigures("a", True, 1, 1, 1e9, 1, 1e9, 1e9, 1e9, "", 1e9, True, 1)
    found = judge(Figures([everything], 1, 1, 1e9, 1e9, 1e9, "older", True, "x", False, 3, 2, 1))
    assert len(found) == 18
    assert all(one.advice and len(one.text) < 500 and len(one.advice) < 500 for one in found)
    assert "1 object of 1 vault" in found[0].text
