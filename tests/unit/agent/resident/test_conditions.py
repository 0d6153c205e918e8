"""What a job waits for: power, and a computer that is not busy."""

from pathlib import Path
from typing import Any

import pytest
from nightsafe.jobs.job import Job
from nightsafe.resident.conditions import obstacle
from nightsafe.resident.power import Power, read_power

ADAPTER = {"type": "Mains", "online": "1"}
UNPLUGGED = {"type": "Mains", "online": "0"}
USB_C = {"type": "USB", "online": "1"}
BATTERY = {"type": "Battery", "present": "1", "capacity": "57", "status": "Discharging"}
FULL = BATTERY | {"status": "Not charging", "capacity": "100"}
MOUSE = {"type": "Battery", "scope": "Device", "capacity": "5", "status": "Discharging"}
EMPTY_SLOT = {"type": "Battery", "present": "0", "capacity": "0", "status": "Unknown"}


def supplies(folder: Path, *found: dict[str, str]) -> str:
    for number, facts in enumerate(found):
        (folder / f"supply{number}").mkdir()
        for name, text in facts.items():
            (folder / f"supply{number}" / name).write_text(f"{text}\n")
    return str(folder)


@pytest.mark.parametrize(
    ("found", "power"),
    [
        ([], Power(None, None)),
        ([ADAPTER], Power(True, None)),
        ([ADAPTER, FULL], Power(True, 100)),
        ([UNPLUGGED, BATTERY], Power(False, 57)),
        ([UNPLUGGED, USB_C, BATTERY | {"status": "Charging"}], Power(True, 57)),
        ([BATTERY], Power(False, 57)),
        ([FULL], Power(True, 100)),
        ([MOUSE], Power(None, None)),
        ([MOUSE, ADAPTER], Power(True, None)),
        ([BATTERY, BATTERY | {"capacity": "80"}], Power(False, 80)),
        ([ADAPTER, EMPTY_SLOT], Power(True, None)),
        ([BATTERY | {"capacity": "101"}], Power(False, 100)),
        ([BATTERY | {"capacity": "much"}], Power(False, None)),
        ([UNPLUGGED], Power(None, None)),
        ([{"type": "Mains"}, BATTERY], Power(False, 57)),
    ],
)
def test_what_the_computer_runs_on(
    tmp_path: Path, found: list[dict[str, str]], power: Power
) -> None:
    assert read_power(supplies(tmp_path, *found)) == power


def test_where_nothing_is_told() -> None:
    assert read_power("/nowhere") == Power(None, None)


def job(**more: Any) -> Job:
    return Job("x", ("/x",), "manually", **more)


NOTHING = Power()


def why(power: Power = NOTHING, load: float = 0.0, **more: Any) -> str:
    return obstacle(job(**more), power=lambda: power, load=lambda: load)


def test_mains() -> None:
    assert why(Power(False, 90), on_mains=True) == "the computer runs on its battery"
    assert why(Power(True, 5), on_mains=True) == ""
    assert why(Power(None, None), on_mains=True) == ""
    assert why(Power(False, 5)) == ""


def test_the_battery() -> None:
    said = "its battery is at 30 %, and has to be above 30 %"
    assert why(Power(False, 30), battery_above=30) == said
    assert why(Power(False, 31), battery_above=30) == ""
    assert why(Power(True, 5), battery_above=30) == ""
    assert why(Power(None, None), battery_above=30) == ""
    assert why(Power(False, None), battery_above=30) == ""


def test_the_load() -> None:
    assert why(load=2.04, load_below=2) == "the load is 2.0, and has to be below 2"
    assert why(load=1.9, load_below=2) == ""
    assert why(load=50) == ""


def test_this_computer_tells_something_or_nothing() -> None:
    assert read_power().on_mains in (True, False, None)
    assert obstacle(job(load_below=900)) == ""
