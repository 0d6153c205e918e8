"""The stand-in's clock: the computer's, moved by an offset (seconds) that stands in a file."""

import time
from pathlib import Path


class Clock:
    """Tells the moment, in whole seconds since 1970."""

    def __init__(self, offset_file: Path | None) -> None:
        self._file = offset_file

    def now(self) -> int:
        """Return the present moment, with the offset that the file has now."""
        return int(time.time() + self._offset())

    def _offset(self) -> float:
        if self._file is None:
            return 0.0
        try:
            return float(self._file.read_text())
        except (FileNotFoundError, ValueError):
            return 0.0
