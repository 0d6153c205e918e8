"""Patterns of paths, with stock restic's semantics.

A pattern is split at its slashes. One that begins with a slash fits from the root on, any
other one fits anywhere: its parts must be neighbouring parts of the path. What is below a
path that fits, fits too. In a part, ``*`` stands for any characters, ``?`` for one, ``[a-z]``
and ``[^a-z]`` for one of a set, and a backslash takes a character as it is. The part ``**``
stands for any number of parts. A pattern that begins with ``!`` takes back what the patterns
before it said.
"""

import posixpath
import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from nightsafe.errors import UsageError
from nightsafe.filters.wildcard import expression, is_literal, is_sound
from nightsafe.fs.files import as_pattern

_ANY = "**"
_Parts = tuple[str, ...]
_Question = Callable[[str], bool]


class Patterns:
    """Some patterns, ready to be asked many times. UsageError when one makes no sense."""

    def __init__(
        self, patterns: Iterable[str], *, ignore_case: bool = False, by_names: bool = True
    ) -> None:
        """`by_names`: in folders that do not fit themselves, names mostly tell. Without it whole
        paths are looked at, as they must be in others."""
        self._fold = fold_case if ignore_case else _as_it_is
        self._all = [_parse(self._fold(as_pattern(text))) for text in patterns if text]
        self._steps = list(_steps(self._all))
        self._names = _Names(self._all, by_names=by_names)

    def __bool__(self) -> bool:
        return bool(self._all)

    def matches(self, path: bytes) -> bool:
        """Whether a path fits; it must be clean, and absolute if patterns shall be."""
        text = self._fold(path.decode("utf-8", "surrogateescape"))
        matched = False
        for negates, fits in self._steps:
            if matched == negates and fits(text):
                matched = not negates
        return matched

    def matches_entry(self, path: bytes, name: bytes) -> bool:
        """Like `matches` for the entry `name` of a folder that does not fit; much quicker."""
        verdict = self._names.judge(self._fold(name.decode("utf-8", "surrogateescape")))
        return self.matches(path) if verdict is None else verdict

    def matches_none(self, names: bytes) -> bool:
        """Whether it is sure, by their names alone, that no entry of a folder fits that does not
        fit itself; one question for all names, which have zeros between them."""
        return self._names.surely_none(self._fold(names.decode("utf-8", "surrogateescape")))

    def may_match_below(self, path: bytes) -> bool:
        """Whether something below the folder `path` could fit; when in doubt, yes."""
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
        """Whether one regular expression says it; two ``**`` have rules of their own."""
        return self.parts.count(_ANY) < 2


class _Names:
    """What the last part of a path alone says about it."""

    def __init__(self, patterns: Sequence[_Pattern], *, by_names: bool) -> None:
        simple = by_names and all(
            p.is_plain and not p.negates and p.parts[-1] != _ANY for p in patterns
        )
        self._never_knows = not simple
        lone = [p.parts[-1] for p in patterns if len(p.parts) == 1]
        last = [p.parts[-1] for p in patterns if len(p.parts) > 1]
        self._surely = _any_of(lone) if simple else None
        self._maybe = _any_of(last) if simple else None
        any_name = "|".join(f"(?:{expression(part)})" for part in lone + last)
        any_name = any_name.replace("[^/", "[^/\0")  # what stands for many stays in one name
        self._doubts = re.compile(f"(?:\\A|\0)(?:{any_name})(?:\0|\\Z)", re.DOTALL).search

    def surely_none(self, joined: str) -> bool:
        """Whether none of the names, with zeros between, fits or needs its whole path looked at."""
        return not self._never_knows and self._doubts(joined) is None

    def judge(self, name: str) -> bool | None:
        """Whether an entry of this name fits; None when the whole path must tell."""
        if self._never_knows:
            return None
        if self._surely and self._surely(name):
            return True
        return None if self._maybe and self._maybe(name) else False


def _any_of(parts: Sequence[str]) -> _Question | None:
    """Whether a name is one of these; None when there are none."""
    if not parts:
        return None
    literal = frozenset(filter(is_literal, parts))
    others = [f"(?:{expression(part)})" for part in parts if not is_literal(part)]
    if not others:
        return literal.__contains__
    fits = re.compile("|".join(others), re.DOTALL).fullmatch
    return lambda name: name in literal or fits(name) is not None


def _as_it_is(text: str) -> str:
    return text


def fold_case(text: str) -> str:
    """Lower case, letter by letter, so that no letter depends on its neighbours."""
    if text.isascii():
        return text.lower()
    return "".join(char.lower()[0] for char in text)


def _parse(text: str) -> _Pattern:
    negates = text.startswith("!")
    parts = _split(_clean(text[negates:]))
    if not all(map(is_sound, parts)):
        raise UsageError(
            f"The pattern {text!r} makes no sense: a bracket is not closed, or something is "
            "missing after a backslash or a dash. A backslash takes a bracket as it is."
        )
    return _Pattern(parts, negates)


def _clean(text: str) -> str:
    text = posixpath.normpath(text)
    return text[1:] if text.startswith("//") else text


def _split(path: str) -> _Parts:
    """The parts of a clean path; the first one of an absolute path is ``/``."""
    first, *others = path.split("/")
    return (first or "/", *others)


def _steps(patterns: Sequence[_Pattern]) -> Iterable[tuple[bool, _Question]]:
    """Neighbours that can be asked as one, as one question each: (sign, does it fit?)."""
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
    """One pattern with at most one ``**`` as an expression to search a whole path with."""
    start, inner = (r"\A/", parts[1:]) if parts[0] == "/" else (r"(?:\A(?!/)|/)", parts)
    if inner == (_ANY,):
        return start
    if inner == ("",):
        return start  # the root, and so all that is below it
    said = [f"(?:{expression(part)})" if part != _ANY else _ANY for part in inner]
    text = "/".join(said).replace(f"{_ANY}/", "(?:[^/]+/)*").replace(f"/{_ANY}", "")
    return rf"{start}{text}(?:/|\Z)"


def _fits(pattern: _Parts, path: _Parts) -> bool:
    """restic's own way: ``**`` is tried as no part, as one part, as two, and so on."""
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
    return re.fullmatch(expression(pattern), part, re.DOTALL) is not None


def _could_fit_below(pattern: _Parts, path: _Parts) -> bool:
    if pattern[0] != "/":
        return True
    if _ANY in pattern:
        path = path[: pattern.index(_ANY)]
    return _fits(pattern[: len(path)], path)
