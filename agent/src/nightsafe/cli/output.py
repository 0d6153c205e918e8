"""Writes a command's output: lines for people, JSON for programs, a progress bar."""

import io
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from nightsafe.amounts import show_size
from nightsafe.cli.format import progress_fields, progress_line

if TYPE_CHECKING:
    from nightsafe.progress import Event, Observer

_PROGRESS_SECONDS = 1.0
PLAIN_SECONDS = 30.0


class Output:
    """Writes results to standard output and everything else to standard error.

    Output that cannot be written does not stop the command: it is reported once and sets `is_cut`.
    """

    def __init__(self, *, as_json: bool = False, quiet: bool = False, progress: bool = True):
        self.as_json = as_json
        self.quiet = quiet
        self.progress = progress and not quiet
        self.is_cut = False
        self._flushes = True

    def line(self, text: str = "") -> None:
        """Print a line for people; not with --json or --quiet."""
        if not (self.as_json or self.quiet):
            self._print(text)

    def result(self, fields: dict[str, Any]) -> None:
        """Print a JSON object on one line; only with --json."""
        if self.as_json:
            self._print(json.dumps(fields, ensure_ascii=not _is_utf8()))

    @contextmanager
    def buffered(self) -> Iterator[None]:
        """Buffer lines for the length of a `with` block, except on a terminal."""
        self._flushes = False
        try:
            yield
        finally:
            self._flushes = True
            self._print("", end="")

    def note(self, text: str) -> None:
        """Print a note or warning to standard error."""
        with suppress(OSError):  # the command continues without standard error
            print(text, file=sys.stderr, flush=True)  # noqa: T201

    def _print(self, text: str, end: str = "\n") -> None:
        if self.is_cut:
            return
        try:
            print(text, end=end, flush=self._flushes)  # noqa: T201
        except BrokenPipeError:
            raise  # the reader is gone; `main` handles it
        except OSError as error:
            self.is_cut = True
            self.note(
                f"nightsafe: The output cannot be written ({error.strerror}), so it is not whole, "
                "and the exit status will not be 0; the work itself goes on. Make room, or send "
                "the output elsewhere."
            )

    def error(self, text: str, status: int) -> None:
        """Print an error on one line; with --json also as an object on standard output."""
        self.note(f"nightsafe: {text}")
        self.result({"event": "error", "message": text, "exit_status": status})

    def failure(self, error: Exception) -> int:
        """Print an exception on one line; returns the exit status."""
        from nightsafe.errors import NightsafeError

        if isinstance(error, NightsafeError):
            self.error(str(error), error.exit_code)
            return error.exit_code
        text = f"An unexpected error stopped the work ({type(error).__name__}). "
        self.error(text + "Run it again with NIGHTSAFE_DEBUG=1 and report what that shows.", 1)
        return 1

    @contextmanager
    def observer(self, verb: str, *, names_files: bool = False) -> "Iterator[Any]":
        """Return an observer for the length of a `with` block, suitable for the output.

        With `names_files` it prints a line for each new or changed file.
        """
        if self.as_json or names_files:
            # The lines would break up a progress bar.
            observer: Observer = _JsonLines(self) if self.as_json else _PlainLines(self)
            yield _FileLines(self, observer) if names_files else observer
        elif self.progress and sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            from nightsafe.cli.progress_bar import ProgressBar

            with ProgressBar(verb) as bar:
                yield bar
        else:
            yield _PlainLines(self)


def replace_unencodable() -> None:
    """Let standard streams write what they cannot encode with backslashes.

    Eight-bit locales and pipes on Windows have few characters, and no stream can encode the bytes
    of a name that is not in its encoding.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # What is typed may be in any encoding; nothing is, where it is closed.
    if isinstance(sys.stdin, io.TextIOWrapper) and not sys.stdin.closed:
        with suppress(io.UnsupportedOperation):  # something was read before
            sys.stdin.reconfigure(errors="surrogateescape")


def _is_utf8() -> bool:
    """Whether JSON may be written unescaped; other encodings might replace characters."""
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


class _FileLines:
    """An observer that prints each file that was or would be sent, and passes events on."""

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
        self._meter = ProgressMeter()

    def __call__(self, event: "Event") -> None:
        from nightsafe.progress import Issue, show_path

        if isinstance(event, Issue):
            path, text = show_path(event.path), event.text
            fields = {"event": "issue", "kind": event.kind, "path": path, "text": text}
            self._output.result(fields)
        self._meter(event)
        if self._output.progress and time.monotonic() >= self._next:
            self._output.result(progress_fields(self._meter))
            self._next = time.monotonic() + _PROGRESS_SECONDS


class _PlainLines:
    """An observer for a file or a pipe: issues at once, progress now and then."""

    def __init__(self, output: Output) -> None:
        from nightsafe.progress import Issue, ProgressMeter

        self._output = output
        self._next = time.monotonic() + PLAIN_SECONDS
        self._meter = ProgressMeter()
        self._issue = Issue  # looked up once, since events are many

    def __call__(self, event: "Event") -> None:
        if isinstance(event, self._issue) and not (self._output.quiet and not event.is_failure):
            self._output.note(str(event))
        self._meter(event)
        if self._output.progress and time.monotonic() >= self._next:
            self._output.note(progress_line(self._meter))
            self._next = time.monotonic() + PLAIN_SECONDS
