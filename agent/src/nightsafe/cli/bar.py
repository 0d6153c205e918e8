"""The progress bar for a terminal: bytes, files, throughput, time left."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from nightsafe.progress import Advanced, Event, FileDone, Issue, Totals


class ProgressBar:
    """An observer that draws on standard error; issues appear as lines above the bar."""

    def __init__(self, verb: str) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TextColumn("{task.fields[files]} files"),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._files = 0
        self._task = self._progress.add_task(verb, total=None, files=0)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def __call__(self, event: Event) -> None:
        match event:
            case Totals():
                self._progress.update(self._task, total=event.bytes)
            case Advanced():
                self._progress.advance(self._task, event.bytes)
            case FileDone():
                self._files += 1
                self._progress.update(self._task, files=self._files)
            case Issue():
                self._progress.console.print(str(event), markup=False, highlight=False)
