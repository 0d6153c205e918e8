"""Reads a passphrase from a terminal without echo."""

import os
import sys

_LINE = 4096


def ask_hidden(prompt: str) -> bytes:
    """Prompt for a line without echo and return its bytes; EOFError if there was none.

    They are not decoded: another locale might do so differently, and stock restic uses them as they
    are.
    """
    try:
        import termios
    except ImportError:
        from getpass import getpass

        return getpass(prompt).encode("utf-8", "surrogatepass")
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        terminal = os.dup(sys.stdin.fileno())
    try:
        before = termios.tcgetattr(terminal)
        hidden = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
        try:
            termios.tcsetattr(terminal, termios.TCSAFLUSH, hidden)
            _say(terminal, prompt.encode())
            return _line(terminal)
        finally:
            termios.tcsetattr(terminal, termios.TCSAFLUSH, before)
            _say(terminal, b"\n")
    finally:
        os.close(terminal)


def _say(terminal: int, text: bytes) -> None:
    """Write to the terminal, or to standard error if the terminal is read-only."""
    try:
        os.write(terminal, text)
    except OSError:
        os.write(2, text)


def _line(terminal: int) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        part = os.read(terminal, _LINE)
        if not part:
            if not line:
                raise EOFError
            break
        line += part
    return line.rstrip(b"\r\n")
