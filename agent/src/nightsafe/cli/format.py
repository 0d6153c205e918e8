"""Formats figures and times for people."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nightsafe.amounts import show_count, show_size

if TYPE_CHECKING:
    from nightsafe.progress import ProgressMeter


def progress_line(meter: "ProgressMeter") -> str:
    """Format the progress: bytes, files, speed, bytes sent, time left."""
    return progress_words(progress_fields(meter))


def progress_fields(meter: "ProgressMeter") -> dict[str, Any]:
    """Return the progress as an event for programs; what is not known yet is left out."""
    fields: dict[str, Any] = {"event": "progress", "bytes": meter.bytes, "files": meter.files}
    fields |= {"bytes_sent": meter.sent, "bytes_per_second": round(meter.speed)}
    if meter.totals is not None:
        fields |= {"total_files": meter.totals.files, "total_bytes": meter.totals.bytes}
    if meter.seconds_left is not None:
        fields["seconds_left"] = round(meter.seconds_left)
    return fields


def progress_words(fields: Mapping[str, Any]) -> str:
    """Format such an event, which may be another process's."""

    def number(name: str) -> int:
        found = fields.get(name)
        return found if isinstance(found, int) else 0

    total = f" of {show_size(number('total_bytes'))}" if "total_bytes" in fields else ""
    parts = [f"{show_size(number('bytes'))}{total}", show_count(number("files"), "file")]
    parts.append(f"{show_size(number('bytes_per_second'))}/s")
    if number("bytes_sent"):
        parts.append(f"{show_size(number('bytes_sent'))} sent")
    if "seconds_left" in fields:
        parts.append(f"{show_duration(number('seconds_left'))} left")
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
