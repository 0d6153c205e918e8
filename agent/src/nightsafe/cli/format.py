"""Formats figures and times for people."""

import time
from typing import TYPE_CHECKING

from nightsafe.amounts import show_count, show_size

if TYPE_CHECKING:
    from nightsafe.progress import ProgressMeter


def progress_line(meter: "ProgressMeter") -> str:
    """Format the progress: bytes, files, speed, bytes sent, time left."""
    total = f" of {show_size(meter.totals.bytes)}" if meter.totals else ""
    parts = [f"{show_size(meter.bytes)}{total}", show_count(meter.files, "file")]
    parts.append(f"{show_size(meter.speed)}/s")
    if meter.sent:
        parts.append(f"{show_size(meter.sent)} sent")
    if meter.seconds_left is not None:
        parts.append(f"{show_duration(meter.seconds_left)} left")
    return ", ".join(parts)


def show_duration(seconds: float) -> str:
    """Format seconds: 7 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes < 10 else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def printable(text: str) -> str:
    """Replace what is not printable, so that a text stays on its line."""
    return "".join(char if char.isprintable() else "?" for char in text)


def show_time(ns: int) -> str:
    """Format nanoseconds since 1970 as local time to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(ns // 1_000_000_000))
