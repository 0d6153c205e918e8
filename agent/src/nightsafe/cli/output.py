"""Writes a command's output: lines for people, JSON for programs, a bar for a terminal."""

import io
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from nightsafe.amounts import show_size
from nightsafe.cli.format import progress_line

if TYPE_CHECKING:
    from nightsafe.progress import Event, Observer, ProgressMeter

_PROGRESS_SECONDS = 1.0
PLAIN_SECONDS = 30.0


class Output:
    """Results go to standard output, everything else to standard error.

    What cannot be written ends no work: that is said once, and `is_cut` says it afterwards.
    """

    def __init__(self, *, as_json: bool = False, quiet: bool = False, progress: bool = True):
        self.as_json = as_json
        self.quiet = quiet
        self.progress = progress and not quiet
        self.is_cut = False
        self._flushes = True

    def line(self, text: str = "") -> None:
        """Something for people to read; not with --json or --quiet."""
        if not (self.as_json or self.quiet):
            self._print(text)

    def result(self, fields: dict[str, Any]) -> None:
        """A JSON object on one line; only with --json."""
        if self.as_json:
            self._print(json.dumps(fields, ensure_ascii=not _speaks_utf8()))

    @contextmanager
    def together(self) -> Iterator[None]:
        """Let lines go out many at a time for the length of a `with` block; on a terminal each."""
        self._flushes = False
        try:
            yield
        finally:
            self._flushes = True
            self._print("", end="")

    def note(self, text: str) -> None:
        """Something to know or beware of, on standard error."""
        with suppress(OSError):  # whatever is the matter with it, the work goes on
            print(text, file=sys.stderr, flush=True)  # noqa: T201

    def _print(self, text: str, end: str = "\n") -> None:
        if self.is_cut:
            return
        try:
            print(text, end=end, flush=self._flushes)  # noqa: T201
        except BrokenPipeError:
            raise  # whoever read it has left; `main` knows
        except OSError as error:
            self.is_cut = True
            self.note(
                f"nightsafe: The output cannot be written ({error.strerror}), so it is not whole, "
                "and the exit status will not be 0; the work itself goes on. Make room, or send "
                "the output elsewhere."
            )

    def error(self, text: str, status: int) -> None:
        """The one line of an error; with --json also an object on standard output."""
        self.note(f"nightsafe: {text}")
        self.result({"event": "error", "message": text, "exit_status": status})

    def failure(self, error: Exception) -> int:
        """Show an exception as one line; returns the exit status."""
        from nightsafe.errors import NightsafeError

        if isinstance(error, NightsafeError):
            self.error(str(error), error.exit_code)
            return error.exit_code
        text = f"An unexpected error stopped the work ({type(error).__name__}). "
        self.error(text + "Run it again with NIGHTSAFE_DEBUG=1 and report what that shows.", 1)
        return 1

    @contextmanager
    def observer(self, verb: str, *, names_files: bool = False) -> "Iterator[Any]":
        """An observer for the length of a `with` block, that fits the place we print to.

        With `names_files` each file that is new or changed has a line of its own.
        """
        if self.as_json or names_files:
            # A bar would be torn apart by the lines.
            observer: Observer = _JsonLines(self) if self.as_json else _PlainLines(self)
            yield _FileLines(self, observer) if names_files else observer
        elif self.progress and sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            from nightsafe.cli.progress_bar import ProgressBar

            with ProgressBar(verb) as bar:
                yield bar
        else:
            yield _PlainLines(self)


def let_all_be_written() -> None:
    """Let no text be too odd for standard output and error: what they cannot encode, they write
    with backslashes. Locales of eight bits and pipes on Windows know few characters; no stream
    knows the bytes of a name that is not in its encoding."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _speaks_utf8() -> bool:
    """Whether JSON may go out as it is; elsewhere a backslash must be one of its own."""
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


class _FileLines:
    """An observer that names every file that was sent, or would be, and hands events on."""

    def __init__(self, output: Output, observer: "Observer") -> None:
        self._output = output
        self._observer = observer

    def __call__(self, event: "Event") -> None:
        from nightsafe.progress import FilesDone, show_path

        if isinstance(event, FilesDone):
            for path, state, size in event.with_paths():
                if state != "unchanged":
                    shown = show_path(path)
                    self._output.line(f"{state:<9} {shown} ({show_size(size)})")
                    self._output.result(
                        {"event": "file", "state": state, "path": shown, "bytes": size}
                    )
        self._observer(event)


class _JsonLines:
    """An observer that prints issues at once and progress about once a second."""

    def __init__(self, output: Output) -> None:
        from nightsafe.progress import ProgressMeter

        self._output = output
        self._next = time.monotonic() + _PROGRESS_SECONDS
        self._tally = ProgressMeter()

    def __call__(self, event: "Event") -> None:
        from nightsafe.progress import Issue, show_path

        if isinstance(event, Issue):
            path, text = show_path(event.path), event.text
            fields = {"event": "issue", "kind": event.kind, "path": path, "text": text}
            self._output.result(fields)
        self._tally(event)
        if self._output.progress and time.monotonic() >= self._next:
            self._output.result(_progress_fields(self._tally))
            self._next = time.monotonic() + _PROGRESS_SECONDS


def _progress_fields(tally: "ProgressMeter") -> dict[str, Any]:
    fields: dict[str, Any] = {"event": "progress", "bytes": tally.bytes, "files": tally.files}
    fields |= {"bytes_sent": tally.sent, "bytes_per_second": round(tally.speed)}
    if tally.totals is not None:
        fields |= {"total_files": tally.totals.files, "total_bytes": tally.totals.bytes}
    if tally.seconds_left is not None:
        fields["seconds_left"] = round(tally.seconds_left)
    return fields


class _PlainLines:
    """An observer for a file or a pipe: issues at once, and now and then how far it is."""

    def __init__(self, output: Output) -> None:
        from nightsafe.progress import Issue, ProgressMeter

        self._output = output
        self._next = time.monotonic() + PLAIN_SECONDS
        self._tally = ProgressMeter()
        self._issue = Issue  # looked up here, since events are many

    def __call__(self, event: "Event") -> None:
        if isinstance(event, self._issue) and not (self._output.quiet and not event.is_failure):
            self._output.note(str(event))
        self._tally(event)
        if self._output.progress and time.monotonic() >= self._next:
            self._output.note(progress_line(self._tally))
            self._next = time.monotonic() + PLAIN_SECONDS
