"""Figures and times, as commands show them to people."""

import time
from typing import TYPE_CHECKING

from nightsafe.amounts import show_count, show_size

if TYPE_CHECKING:
    from nightsafe.progress import ProgressMeter


def progress_line(tally: "ProgressMeter") -> str:
    """How far the work is, for people: bytes, files, speed, what was sent, time left."""
    total = f" of {show_size(tally.totals.bytes)}" if tally.totals else ""
    parts = [f"{show_size(tally.bytes)}{total}", show_count(tally.files, "file")]
    parts.append(f"{show_size(tally.speed)}/s")
    if tally.sent:
        parts.append(f"{show_size(tally.sent)} sent")
    if tally.seconds_left is not None:
        parts.append(f"{show_duration(tally.seconds_left)} left")
    return ", ".join(parts)


def show_duration(seconds: float) -> str:
    """Seconds for people: 7 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes < 10 else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def printable(text: str) -> str:
    """A text on its line, whatever names are in it."""
    return "".join(char if char.isprintable() else "?" for char in text)


def show_time(ns: int) -> str:
    """Nanoseconds since 1970 as local time to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(ns // 1_000_000_000))
