"""Translates the wildcards of one path component: ``*``, ``?``, sets and escapes."""

import re

_SPECIAL = frozenset("\\[]*?")
_ONE = r"(?:\\.|[^\\\]-])"
_SET = rf"\[\^?+{_ONE}(?:-{_ONE})?(?:{_ONE}(?:-{_ONE})?)*\]"
_PART = re.compile(rf"(?:\\.|[^\\\[]|{_SET})*", re.DOTALL)
_TOKEN = re.compile(
    rf"\\(?P<plain>.)|(?P<set>{_SET})|(?P<star>\*+)|(?P<one>\?)|(?P<char>.)", re.DOTALL
)
# Stars, and what follows them up to the next star outside brackets.
_STRETCH = re.compile(r"(?=.)\**(?:\\.?|\[(?:\\.?|[^\]\\])*\]?|[^*\[\\])*", re.DOTALL)
_RANGE = re.compile(rf"({_ONE})(?:-({_ONE}))?", re.DOTALL)


def is_valid(part: str) -> bool:
    """Whether every bracket is closed and every backslash and dash is complete."""
    return _PART.fullmatch(part) is not None


def valid_prefix(part: str) -> str:
    """Return what precedes the first invalid stretch between stars; all, if all are valid.

    Go's programs, and so stock restic, report such a stretch only once what precedes it matches.
    """
    end = 0
    for found in _STRETCH.finditer(part):
        if not is_valid(found[0]):
            return part[:end]
        end = found.end()
    return part


def is_literal(part: str) -> bool:
    """Whether a part contains no wildcard."""
    return not _SPECIAL.intersection(part)


def to_regex(part: str) -> str:
    """Translate a valid part, which contains no slash, to a regular expression."""
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
    if not ranges:  # an empty range such as z-a
        return "[^/]" if negates else "(?!)"
    return ("[^/" if negates else "[") + "".join(ranges) + "]"
