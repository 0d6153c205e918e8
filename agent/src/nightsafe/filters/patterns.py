"""Matches paths against patterns, with stock restic's semantics.

A pattern is split at its slashes. One that begins with a slash is anchored at the root; any other
one matches anywhere: its parts must be consecutive parts of the path. Everything below a matching
path matches too. In a part, ``*`` matches any characters, ``?`` one, ``[a-z]`` and ``[^a-z]`` one
of a set, and a backslash escapes. The part ``**`` matches any number of parts. A pattern that
begins with ``!`` revokes earlier matches.
"""

import posixpath
import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from nightsafe.errors import UsageError
from nightsafe.filters.wildcard import is_literal, is_valid, to_regex
from nightsafe.fs.files import as_pattern

_ANY = "**"
_Parts = tuple[str, ...]
_Question = Callable[[str], bool]


class Patterns:
    """A compiled list of patterns. UsageError if one is invalid."""

    def __init__(
        self, patterns: Iterable[str], *, ignore_case: bool = False, by_names: bool = True
    ) -> None:
        """Compile the patterns.

        `by_names`: entries of a folder that does not match itself are mostly decided by their
        names. Without it whole paths are matched, as is necessary below matching folders.
        """
        self._fold = fold_case if ignore_case else _as_it_is
        self._all = [_parse(self._fold(as_pattern(text))) for text in patterns if text]
        self._steps = list(_steps(self._all))
        self._names = _Names(self._all, by_names=by_names)

    def __bool__(self) -> bool:
        return bool(self._all)

    def matches(self, path: bytes) -> bool:
        """Whether a path matches; it must be clean, and absolute for anchored patterns."""
        text = self._fold(path.decode("utf-8", "surrogateescape"))
        matched = False
        for negates, fits in self._steps:
            if matched == negates and fits(text):
                matched = not negates
        return matched

    def matches_entry(self, path: bytes, name: bytes) -> bool:
        """Like `matches`, for an entry of a folder that does not match; much faster."""
        matched = self._names.match(self._fold(name.decode("utf-8", "surrogateescape")))
        return self.matches(path) if matched is None else matched

    def matches_none(self, names: bytes) -> bool:
        """Whether NUL-separated names alone show that no entry of a folder matches.

        The folder itself must not match.
        """
        return self._names.matches_none(self._fold(names.decode("utf-8", "surrogateescape")))

    def may_match_below(self, path: bytes) -> bool:
        """Whether something below the folder `path` could match; if in doubt, yes."""
        parts = _split(self._fold(path.decode("utf-8", "surrogateescape")))
        may = False
        for pattern in self._all:
            if pattern.negates:
                may = may and not _fits(pattern.parts, parts)
            else:
                may = may or _could_fit_below(pattern.parts, parts)
        return may


class _Pattern(NamedTuple):
    parts: _Parts
    negates: bool

    @property
    def is_plain(self) -> bool:
        """Whether one regular expression suffices; two ``**`` have rules of their own."""
        return self.parts.count(_ANY) < 2


class _Names:
    """Decides by the last part of a path alone, where that is possible."""

    def __init__(self, patterns: Sequence[_Pattern], *, by_names: bool) -> None:
        simple = by_names and all(
            p.is_plain and not p.negates and p.parts[-1] != _ANY for p in patterns
        )
        self._needs_path = not simple
        lone = [p.parts[-1] for p in patterns if len(p.parts) == 1]
        last = [p.parts[-1] for p in patterns if len(p.parts) > 1]
        self._certain = _any_of(lone) if simple else None
        self._possible = _any_of(last) if simple else None
        any_name = "|".join(f"(?:{to_regex(part)})" for part in lone + last)
        any_name = any_name.replace("[^/", "[^/\0")  # wildcards must not match the separator
        self._doubtful = re.compile(f"(?:\\A|\0)(?:{any_name})(?:\0|\\Z)", re.DOTALL).search

    def matches_none(self, joined: str) -> bool:
        """Whether no NUL-separated name matches or needs its whole path compared."""
        return not self._needs_path and self._doubtful(joined) is None

    def match(self, name: str) -> bool | None:
        """Whether an entry of this name matches; None if the whole path decides."""
        if self._needs_path:
            return None
        if self._certain and self._certain(name):
            return True
        return None if self._possible and self._possible(name) else False


def _any_of(parts: Sequence[str]) -> _Question | None:
    """Return a function that matches a name against parts; None if there are none."""
    if not parts:
        return None
    literal = frozenset(filter(is_literal, parts))
    others = [f"(?:{to_regex(part)})" for part in parts if not is_literal(part)]
    if not others:
        return literal.__contains__
    fits = re.compile("|".join(others), re.DOTALL).fullmatch
    return lambda name: name in literal or fits(name) is not None


def _as_it_is(text: str) -> str:
    return text


def fold_case(text: str) -> str:
    """Lower the case letter by letter, so that no letter depends on its neighbours."""
    if text.isascii():
        return text.lower()
    return "".join(char.lower()[0] for char in text)


def _parse(text: str) -> _Pattern:
    negates = text.startswith("!")
    parts = _split(_clean(text[negates:]))
    if not all(map(is_valid, parts)):
        raise UsageError(
            f"The pattern {text!r} makes no sense: a bracket is not closed, or something is "
            "missing after a backslash or a dash. A backslash takes a bracket as it is."
        )
    return _Pattern(parts, negates)


def _clean(text: str) -> str:
    text = posixpath.normpath(text)
    return text[1:] if text.startswith("//") else text


def _split(path: str) -> _Parts:
    """Split a clean path; the first part of an absolute path is ``/``."""
    first, *others = path.split("/")
    return (first or "/", *others)


def _steps(patterns: Sequence[_Pattern]) -> Iterable[tuple[bool, _Question]]:
    """Combine consecutive patterns of one kind; yields (negates, match function)."""
    waiting: list[_Pattern] = []
    for pattern in patterns:
        if waiting and not _goes_with(waiting[0], pattern):
            yield waiting[0].negates, _question(waiting)
            waiting = []
        waiting.append(pattern)
    if waiting:
        yield waiting[0].negates, _question(waiting)


def _goes_with(one: _Pattern, other: _Pattern) -> bool:
    return (one.negates, one.is_plain) == (other.negates, other.is_plain)


def _question(patterns: Sequence[_Pattern]) -> _Question:
    if patterns[0].is_plain:
        joined = "|".join(f"(?:{_path_expression(pattern.parts)})" for pattern in patterns)
        search = re.compile(joined, re.DOTALL).search
        return lambda path: search(path) is not None
    several = [pattern.parts for pattern in patterns]
    return lambda path: any(_fits(parts, _split(path)) for parts in several)


def _path_expression(parts: _Parts) -> str:
    """Compile a pattern with at most one ``**`` to a regular expression for whole paths."""
    start, inner = (r"\A/", parts[1:]) if parts[0] == "/" else (r"(?:\A(?!/)|/)", parts)
    if inner == (_ANY,):
        return start
    if inner == ("",):
        return start  # the root and everything below it
    said = [f"(?:{to_regex(part)})" if part != _ANY else _ANY for part in inner]
    text = "/".join(said).replace(f"{_ANY}/", "(?:[^/]+/)*").replace(f"/{_ANY}", "")
    return rf"{start}{text}(?:/|\Z)"


def _fits(pattern: _Parts, path: _Parts) -> bool:
    """Match as restic does: ``**`` is tried as zero parts, as one, as two, and so on."""
    if _ANY in pattern:
        at = pattern.index(_ANY)
        before, after = pattern[:at], pattern[at + 1 :]
        most = len(path) - len(pattern) + 1
        return any(_fits((*before, *("*",) * n, *after), path) for n in range(most + 1))
    last = len(path) - len(pattern)
    if not pattern or last < 0:
        return not pattern and not path
    first = 1 if path[0] == "/" else 0
    offsets = (0,) if pattern[0] == "/" else range(first, last + 1)
    return any(_fits_at(pattern, path[offset:]) for offset in offsets)


def _fits_at(pattern: _Parts, path: _Parts) -> bool:
    return all(_part_fits(one, part) for one, part in zip(pattern, path, strict=False))


def _part_fits(pattern: str, part: str) -> bool:
    if is_literal(pattern):
        return pattern == part
    return re.fullmatch(to_regex(pattern), part, re.DOTALL) is not None


def _could_fit_below(pattern: _Parts, path: _Parts) -> bool:
    if pattern[0] != "/":
        return True
    if _ANY in pattern:
        path = path[: pattern.index(_ANY)]
    return _fits(pattern[: len(path)], path)
