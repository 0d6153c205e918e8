"""Reads files that list patterns or paths, as stock restic does.

They are UTF-8 whatever the locale, or UTF-16 with a byte-order mark; bytes that are neither stay
what they are. Lines end at LF, and one CR before it belongs to the end.
"""

import codecs
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from nightsafe.errors import UsageError
from nightsafe.filters.wildcard import expression, sound_beginning
from nightsafe.fs.files import as_pattern, as_text
from nightsafe.repofile.go_space import BLANKS

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_VARIABLE = re.compile(r"\$(?:\{([^}]*)\}|([*#$@!?0-9-])|([a-zA-Z_]\w*)|(\{))", re.ASCII)
_WILD = frozenset("*?[\\")


def read_patterns(path: str, environ: Mapping[str, str] = os.environ) -> list[str]:
    """The patterns of a file: one a line, blank lines and `#` comments left out.

    `$NAME` and `${NAME}` become variables of the environment, `$$` a dollar sign. UsageError
    if the file cannot be read.
    """
    return [expand(line, environ) for line in _wanted(path)]


def expand(text: str, environ: Mapping[str, str] = os.environ) -> str:
    """Put in variables of the environment; those that are not set are empty, and so is what a
    shell has other uses for, such as `$1` and `${}`."""

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2] or found[3]
        return "$" if name == "$" else as_text(environ.get(name, "")) if name else ""

    return _VARIABLE.sub(value, text)


def read_globs(path: str, unmatched: Callable[[str], None]) -> list[bytes]:
    """The paths that a file's lines stand for, with `*`, `?` and `[…]` filled in.

    Lines that no path fits are given to `unmatched`. UsageError for one that makes no sense.
    """
    found: list[bytes] = []
    for line in _wanted(path):
        names = matching(line)
        if not names:
            unmatched(line)
        found += names
    return found


def matching(pattern: str) -> list[bytes]:
    """The paths that fit a pattern, folder by folder, in the order of their names.

    A backslash takes a sign as it is; names may begin with a dot. What has no sign in it is the
    path itself, if that exists.
    """
    text = as_pattern(pattern)
    if text and not sound_beginning(text):
        raise _senseless(pattern)
    if _WILD.isdisjoint(text):
        path = _bytes(pattern)
        return [path] if os.path.lexists(path) else []
    above, slash, name = text.rpartition("/")
    folder = above if os.path.splitdrive(above)[1] else above + slash  # of a root, all of it
    folders = [_bytes(folder or ".")] if _WILD.isdisjoint(folder) else matching(folder)
    return [path for folder in folders for path in _fitting(folder, name)]


def _fitting(folder: bytes, pattern: str) -> Iterator[bytes]:
    beginning = sound_beginning(pattern)
    is_whole = beginning == pattern
    form = re.compile(expression(beginning), re.DOTALL)
    fits = form.fullmatch if is_whole else form.match
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return
    for name in names:
        if fits(name.decode("utf-8", "surrogateescape")):
            if not is_whole:
                raise _senseless(pattern)
            yield os.path.normpath(os.path.join(folder, name))


def _senseless(pattern: str) -> UsageError:
    return UsageError(
        f"The line {pattern!a} makes no sense: a bracket is not closed, or something is "
        "missing after a backslash or a dash. A backslash takes a bracket as it is."
    )


def read_verbatim(path: str) -> list[bytes]:
    """The paths of a file, one a line, exactly as they stand there."""
    return [_bytes(line) for line in _lines(path) if line]


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


def _wanted(path: str) -> Iterator[str]:
    """The lines that say something, without blanks around them."""
    for line in _lines(path):
        text = line.strip(BLANKS)
        if text and not text.startswith("#"):
            yield text


def _lines(path: str) -> Iterable[str]:
    return (line.removesuffix("\r") for line in _decode(_read(path)).split("\n"))


def _decode(data: bytes) -> str:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            errors = "surrogateescape" if encoding == "utf-8" else "replace"
            return data[len(mark) :].decode(encoding, errors)
    return data.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _read(path: str) -> bytes:
    try:
        with open(0 if path == "-" else path, "rb", closefd=path != "-") as file:
            return file.read()
    except OSError as error:
        raise UsageError(f"The list {path} cannot be read: {error.strerror}.") from error
