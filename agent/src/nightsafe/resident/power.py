"""What the computer runs on, as Linux tells it under /sys; elsewhere nothing is known.

https://www.kernel.org/doc/Documentation/ABI/testing/sysfs-class-power
"""

import os
from dataclasses import dataclass

SUPPLIES = "/sys/class/power_supply"
_MAINS = ("Mains", "USB", "UPS", "Wireless")


@dataclass(frozen=True)
class Power:
    """`on_mains`: None where nothing tells. `battery`: how full in percent, None without one.

    Of several batteries it is the fullest: the computer takes from one after the other.
    """

    on_mains: bool | None = None
    battery: int | None = None


def read_power(folder: str = SUPPLIES) -> Power:
    """Return what the computer's own supplies tell; those of mice and keyboards do not count."""
    adapters: list[bool] = []
    levels: list[int] = []
    discharging = False
    for name in _listed(folder):
        supply = os.path.join(folder, name)
        if _text(supply, "scope") == "Device":
            continue
        kind = _text(supply, "type")
        if kind in _MAINS:
            adapters.append(_text(supply, "online") not in ("", "0"))
        elif kind == "Battery" and _text(supply, "present") != "0":
            discharging |= _text(supply, "status") == "Discharging"
            level = _text(supply, "capacity")
            if level.isascii() and level.isdigit():
                levels.append(min(int(level), 100))
    return Power(_is_on_mains(adapters, levels, discharging=discharging), max(levels, default=None))


def _is_on_mains(adapters: list[bool], levels: list[int], *, discharging: bool) -> bool | None:
    """An adapter says so itself; where there is none, a battery that is not drained does."""
    if any(adapters):
        return True
    if discharging:
        return False
    if levels:
        return not adapters
    return None


def _listed(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _text(supply: str, name: str) -> str:
    try:
        with open(os.path.join(supply, name), encoding="utf-8", errors="replace") as file:
            return file.read(100).strip()
    except OSError:  # it is not told, or the supply was just taken away
        return ""
