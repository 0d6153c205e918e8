"""Reads files that list patterns or paths, as stock restic does.

They are UTF-8 whatever the locale, or UTF-16 with a byte-order mark; other bytes are kept as they
are. Lines end at LF or CR LF.
"""

import codecs
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from nightsafe.errors import UsageError
from nightsafe.filters.wildcard import to_regex, valid_prefix
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
    """Return a file's patterns: one per line, without blank lines and `#` comments.

    `$NAME` and `${NAME}` are replaced by environment variables, `$$` by a dollar sign. UsageError
    if the file cannot be read.
    """
    return [expand(line, environ) for line in _significant_lines(path)]


def expand(text: str, environ: Mapping[str, str] = os.environ) -> str:
    """Expand environment variables; unset ones are empty.

    So is what has another meaning in a shell, such as `$1` and `${}`.
    """

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2] or found[3]
        return "$" if name == "$" else as_text(environ.get(name, "")) if name else ""

    return _VARIABLE.sub(value, text)


def read_globs(path: str, unmatched: Callable[[str], None]) -> list[bytes]:
    """Return the paths that match a file's lines, which may contain `*`, `?` and `[…]`.

    Lines without a match are passed to `unmatched`. UsageError for an invalid pattern.
    """
    found: list[bytes] = []
    for line in _significant_lines(path):
        names = expand_glob(line)
        if not names:
            unmatched(line)
        found += names
    return found


def expand_glob(pattern: str) -> list[bytes]:
    """Return the paths that match a pattern, folder by folder, sorted by name.

    A backslash escapes a character; wildcards match leading dots. A pattern without wildcards
    matches the path itself, if it exists.
    """
    text = as_pattern(pattern)
    if text and not valid_prefix(text):
        raise _invalid(pattern)
    if _WILD.isdisjoint(text):
        path = _bytes(pattern)
        return [path] if os.path.lexists(path) else []
    above, slash, name = text.rpartition("/")
    folder = above if os.path.splitdrive(above)[1] else above + slash  # a root keeps its slash
    folders = [_bytes(folder or ".")] if _WILD.isdisjoint(folder) else expand_glob(folder)
    return [path for folder in folders for path in _fitting(folder, name)]


def _fitting(folder: bytes, pattern: str) -> Iterator[bytes]:
    beginning = valid_prefix(pattern)
    is_whole = beginning == pattern
    form = re.compile(to_regex(beginning), re.DOTALL)
    fits = form.fullmatch if is_whole else form.match
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return
    for name in names:
        if fits(name.decode("utf-8", "surrogateescape")):
            if not is_whole:
                raise _invalid(pattern)
            yield os.path.normpath(os.path.join(folder, name))


def _invalid(pattern: str) -> UsageError:
    return UsageError(
        f"The line {pattern!a} makes no sense: a bracket is not closed, or something is "
        "missing after a backslash or a dash. A backslash takes a bracket as it is."
    )


def read_verbatim(path: str) -> list[bytes]:
    """Return a file's paths, one per line, without any expansion."""
    return [_bytes(line) for line in _lines(path) if line]


def read_raw(path: str) -> list[bytes]:
    """Return a file's NUL-terminated paths, as `find -print0` writes them."""
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


def _significant_lines(path: str) -> Iterator[str]:
    """Yield stripped lines that are neither blank nor comments."""
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
