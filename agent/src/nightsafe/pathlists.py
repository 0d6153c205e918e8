"""Files that list patterns or paths, read as stock restic reads them."""

import codecs
import glob
import os
import re
from collections.abc import Callable, Iterator, Mapping

from nightsafe.errors import UsageError

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+)|(\$))", re.ASCII)


def read_patterns(path: str, environ: Mapping[str, str] = os.environ) -> list[str]:
    """The patterns of a file: one a line, blank lines and `#` comments left out.

    `$NAME` and `${NAME}` become variables of the environment, `$$` a dollar sign. UsageError
    if the file cannot be read.
    """
    return [expand(line, environ) for line in _lines(path)]


def expand(text: str, environ: Mapping[str, str] = os.environ) -> str:
    """Put in variables of the environment; those that are not set are empty."""

    def value(found: re.Match[str]) -> str:
        return "$" if found[3] else environ.get(found[1] or found[2], "")

    return _VARIABLE.sub(value, text)


def read_globs(path: str, warn: Callable[[str], None]) -> list[bytes]:
    """The paths that a file's lines stand for, with `*`, `?` and `[…]` filled in."""
    found: list[bytes] = []
    for line in _lines(path):
        names = sorted(glob.glob(line, include_hidden=True))
        if not names:
            warn(f"{line}: no path fits this line of {path}, so it was passed over.")
        found += map(os.fsencode, names)
    return found


def read_verbatim(path: str) -> list[bytes]:
    """The paths of a file, one a line, exactly as they stand there."""
    return [line for line in _read(path).split(b"\n") if line]


def read_raw(path: str) -> list[bytes]:
    """The paths of a file, each ended by a NUL, as `find -print0` writes them."""
    data = _read(path)
    if data and not data.endswith(b"\0"):
        raise UsageError(
            f"The list {path} does not end with a NUL, so its last path may be cut off. "
            "Write it again, for instance with `find … -print0`."
        )
    names = data.split(b"\0")[:-1]
    if b"" in names:
        raise UsageError(f"The list {path} holds an empty path; take it out.")
    return names


def _lines(path: str) -> Iterator[str]:
    for line in _decode(_read(path)).splitlines():
        text = line.strip()
        if text and not text.startswith("#"):
            yield text


def _decode(data: bytes) -> str:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    return data.decode("utf-8", "surrogateescape")


def _read(path: str) -> bytes:
    try:
        with open(0 if path == "-" else path, "rb", closefd=path != "-") as file:
            return file.read()
    except OSError as error:
        raise UsageError(f"The list {path} cannot be read: {error.strerror}.") from error
