"""Draws what was stored day by day, as points of an SVG and as rows for those who read. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

WIDTH, HEIGHT = 600, 120  # units of the drawing
OUTSIDE = 9  # units beyond the edge, where nothing is seen
FEWEST = 3  # days, below which a line says nothing
HEADROOM = 1.05
WEEK = 7  # days

Sample = tuple[date, int]  # bytes on a day


@dataclass(frozen=True)
class Chart:
    """A line over days: points of it and of the area below, whose other edges lie outside.

    `limit` is the height of the quota's line.
    """

    line: str
    area: str
    limit: int | None
    rows: list[Sample]  # about one a week, the latest first
    first: Sample
    last: Sample
    width: int = WIDTH
    height: int = HEIGHT


def chart(samples: Sequence[Sample], *, quota: int | None = None) -> Chart | None:
    """Return the chart of samples, one a day and oldest first; None of too few.

    The quota (bytes) is drawn once the line comes to half of it, so that small figures stay seen.
    """
    if len(samples) < FEWEST:
        return None
    most = max(size for _, size in samples)
    drawn = quota if quota and 2 * most >= quota else None
    top = max(most, drawn or 0) * HEADROOM or 1
    places = [(x, _height(size, top)) for x, size in _along(samples)]
    points = " ".join(f"{x},{y}" for x, y in places)
    first, last = places[0][1], places[-1][1]
    below, beyond = HEIGHT + OUTSIDE, WIDTH + OUTSIDE
    return Chart(
        line=points,
        area=f"-{OUTSIDE},{below} -{OUTSIDE},{first} {points} {beyond},{last} {beyond},{below}",
        limit=None if drawn is None else _height(drawn, top),
        rows=list(samples[::-WEEK]),
        first=samples[0],
        last=samples[-1],
    )


def _along(samples: Sequence[Sample]) -> list[tuple[int, int]]:
    begin, days = samples[0][0], (samples[-1][0] - samples[0][0]).days or 1
    return [(round(WIDTH * (day - begin).days / days), size) for day, size in samples]


def _height(size: int, top: float) -> int:
    return round(HEIGHT - HEIGHT * size / top)
