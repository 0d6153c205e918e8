"""A program at a terminal, and somebody who waits for its questions and types."""

import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

PATIENCE = 60.0  # seconds, on a slow machine


class Terminal:
    """Runs a command at a terminal of its own; what it shows is `shown`, all of it."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str]) -> None:
        self.shown = ""
        self._seen = 0
        self._leader, terminal = pty.openpty()
        self._process = subprocess.Popen(
            command,
            env=dict(environ),
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
        os.close(terminal)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._leader)

    def wait_for(self, text: str) -> str:
        """Wait until a text is shown that was not waited for before; return what came with it."""
        until = time.monotonic() + PATIENCE
        while text not in self.shown[self._seen :]:
            assert self._read(until), f"{text!r} is not shown:\n{self.shown}"
        start = self._seen
        self._seen = self.shown.index(text, start) + len(text)
        return self.shown[start : self._seen]

    def type(self, line: str = "") -> None:
        """Type a line, and Enter."""
        os.write(self._leader, f"{line}\n".encode())

    def answer(self, question: str, line: str = "") -> None:
        """Wait for a question, and answer it; Enter alone takes what is proposed."""
        self.wait_for(question)
        self.type(line)

    def end(self) -> int:
        """Wait until the command has ended; return its exit status."""
        until = time.monotonic() + PATIENCE
        while self._read(until):
            pass
        return self._process.wait(PATIENCE)

    def _read(self, until: float) -> bool:
        """Take in what is shown next; False at the end, or if nothing comes in time."""
        ready, _, _ = select.select([self._leader], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            return False
        try:
            part = os.read(self._leader, 65536)
        except OSError:  # nobody holds the terminal any more
            return False
        self.shown += part.decode(errors="replace").replace("\r\n", "\n")
        return bool(part)
