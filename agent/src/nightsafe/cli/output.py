"""How a command speaks: lines for people, JSON for programs, a bar for a terminal."""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_PROGRESS_SECONDS = 1.0


class Output:
    """Results go to standard output, everything else to standard error."""

    def __init__(self, *, as_json: bool = False, quiet: bool = False, progress: bool = True):
        self.as_json = as_json
        self.quiet = quiet
        self.progress = progress and not quiet

    def line(self, text: str = "") -> None:
        """Something for people to read; not with --json or --quiet."""
        if not (self.as_json or self.quiet):
            print(text, flush=True)  # noqa: T201

    def result(self, fields: dict[str, Any]) -> None:
        """A JSON object on one line; only with --json."""
        if self.as_json:
            print(json.dumps(fields, ensure_ascii=False), flush=True)  # noqa: T201

    def note(self, text: str) -> None:
        """Something to know or beware of, on standard error."""
        print(text, file=sys.stderr, flush=True)  # noqa: T201

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
    def observer(self, verb: str) -> "Iterator[Any]":
        """An observer for the length of a `with` block, that fits the place we print to."""
        if self.as_json:
            yield _JsonLines(self)
        elif self.progress and sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            from nightsafe.cli.bar import ProgressBar

            with ProgressBar(verb) as bar:
                yield bar
        else:
            yield self._plain

    def _plain(self, event: object) -> None:
        from nightsafe.progress import Issue

        if isinstance(event, Issue) and not (self.quiet and not event.is_failure):
            self.note(str(event))


class _JsonLines:
    """An observer that prints issues at once and progress about once a second."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._next = time.monotonic() + _PROGRESS_SECONDS
        self._fields: dict[str, Any] = {"event": "progress", "bytes": 0, "files": 0}

    def __call__(self, event: object) -> None:
        from nightsafe.progress import Advanced, FileDone, Issue, Totals, show_path

        match event:
            case Issue(kind, path, text):
                fields = {"event": "issue", "kind": kind, "path": show_path(path), "text": text}
                self._output.result(fields)
            case Totals(files, size):
                self._fields |= {"total_files": files, "total_bytes": size}
            case Advanced(size):
                self._fields["bytes"] += size
            case FileDone():
                self._fields["files"] += 1
        if self._output.progress and time.monotonic() >= self._next:
            self._output.result(self._fields)
            self._next = time.monotonic() + _PROGRESS_SECONDS


def show_size(size: float) -> str:
    """Bytes for people, in powers of ten."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def show_time(ns: int) -> str:
    """Nanoseconds since 1970 as local time to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(ns // 1_000_000_000))
