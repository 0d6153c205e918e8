"""A progress bar for terminals: share, speed, bytes sent, time left, current file."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column

from nightsafe.cli.format import progress_line
from nightsafe.progress import Event, Issue, ProgressMeter, show_path

_REDRAW_SECONDS = 0.1


class ProgressBar:
    """An observer that draws on standard error; issues are printed above the bar.

    It has no colours if NO_COLOR is set.
    """

    def __init__(self, verb: str) -> None:
        wide = Column(ratio=1, no_wrap=True, overflow="ellipsis")
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(20),
            TextColumn("{task.fields[said]}"),
            TextColumn("{task.fields[path]}", markup=False, table_column=wide),
            console=Console(stderr=True),
            transient=True,
            expand=True,
        )
        self._meter = ProgressMeter()
        self._drawn = 0.0
        self._task = self._progress.add_task(verb, total=None, said="", path="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._draw()
        self._progress.stop()

    def __call__(self, event: Event) -> None:
        if isinstance(event, Issue):
            self._progress.console.print(str(event), markup=False, highlight=False)
            return
        self._meter(event)
        if time.monotonic() - self._drawn >= _REDRAW_SECONDS:
            self._draw()

    def _draw(self) -> None:
        self._drawn = time.monotonic()
        meter = self._meter
        self._progress.update(
            self._task,
            completed=meter.bytes,
            total=meter.totals.bytes if meter.totals else None,
            said=progress_line(meter),
            path=show_path(meter.path),
        )
