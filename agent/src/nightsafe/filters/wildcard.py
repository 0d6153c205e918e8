"""Wildcards within one path component: ``*``, ``?``, sets and escapes."""

import re

_SPECIAL = frozenset("\\[]*?")
_ONE = r"(?:\\.|[^\\\]-])"
_SET = rf"\[\^?+{_ONE}(?:-{_ONE})?(?:{_ONE}(?:-{_ONE})?)*\]"
_PART = re.compile(rf"(?:\\.|[^\\\[]|{_SET})*", re.DOTALL)
_TOKEN = re.compile(
    rf"\\(?P<plain>.)|(?P<set>{_SET})|(?P<star>\*+)|(?P<one>\?)|(?P<char>.)", re.DOTALL
)
# Stars, and what follows them up to the next one that stands in no brackets.
_STRETCH = re.compile(r"(?=.)\**(?:\\.?|\[(?:\\.?|[^\]\\])*\]?|[^*\[\\])*", re.DOTALL)
_RANGE = re.compile(rf"({_ONE})(?:-({_ONE}))?", re.DOTALL)


def is_sound(part: str) -> bool:
    """Whether every bracket is closed and every backslash and dash has what it needs."""
    return _PART.fullmatch(part) is not None


def sound_beginning(part: str) -> str:
    """What comes before the first stretch between stars that is not sound; all, if each is.

    Go's programs, and so stock restic, take offence at such a stretch when something fits what
    comes before it, and not earlier.
    """
    end = 0
    for found in _STRETCH.finditer(part):
        if not is_sound(found[0]):
            return part[:end]
        end = found.end()
    return part


def is_literal(part: str) -> bool:
    """Whether a part stands for itself alone."""
    return not _SPECIAL.intersection(part)


def expression(part: str) -> str:
    """The regular expression of one sound part, which holds no slash."""
    return "".join(map(_token, _TOKEN.finditer(part)))


def _token(token: re.Match[str]) -> str:
    if token["star"]:
        return "[^/]*"
    if token["one"]:
        return "[^/]"
    if token["set"]:
        return _set(token["set"])
    return re.escape(token["plain"] or token["char"])


def _set(text: str) -> str:
    negates = text.startswith("[^")
    ranges = []
    for first, last in _RANGE.findall(text[2 if negates else 1 : -1]):
        low, high = first[-1], (last or first)[-1]
        if low <= high:
            ranges.append(f"{re.escape(low)}-{re.escape(high)}")
    if not ranges:  # nothing lies between z and a
        return "[^/]" if negates else "(?!)"
    return ("[^/" if negates else "[") + "".join(ranges) + "]"
