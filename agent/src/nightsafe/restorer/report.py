"""Counts what a restore does, and notifies its observer."""

from nightsafe.file_restorer.finisher import Listener
from nightsafe.progress import Advanced, Event, FileDone, FilesDone, Issue, Observer
from nightsafe.restorer.options import RestoreReport


class RestoreReporter(Listener):
    """Updates the report and notifies the observer."""

    def __init__(self, report: RestoreReport, observer: Observer) -> None:
        self._report = report
        self._observer = observer

    def restored(self, files: list[tuple[bytes, str, int]]) -> None:
        self._report.files += len(files)
        self._observer(FilesDone(files, bytes))

    def kept(self, files: list[tuple[bytes, str, int]]) -> None:
        self._report.skipped += len(files)
        self._observer(FilesDone(files, bytes))

    def advanced(self, size: int) -> None:
        self._report.bytes += size
        self._observer(Advanced(size))

    def noted(self, path: bytes, text: str) -> None:
        self._issue("metadata", path, f"could not set its {text}")

    def failed(self, path: bytes, text: str) -> None:
        self._issue("failed", path, text)

    def passed_over(self, path: bytes, text: str) -> None:
        """An entry was skipped because restores do not make its kind."""
        self._issue("notice", path, text)

    def deleted(self, path: bytes) -> None:
        """An extraneous entry was removed."""
        self._report.deleted += 1
        self._observer(FileDone(path, "deleted"))

    def cleared(self, path: bytes) -> None:
        """A partial file of an earlier restore was removed."""
        self._issue("notice", path, "removed: a restore that was killed left it unfinished")

    def _issue(self, kind: str, path: bytes, text: str) -> None:
        issue = Issue(kind, path or b"/", text)
        self._report.issues.append(issue)
        event: Event = issue
        self._observer(event)
