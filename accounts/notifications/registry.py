"""The kinds of notices. Each app registers its own when it is loaded."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from accounts.notifications.letter import Letter
from accounts.topics import Topic

Values = Mapping[str, Any]
Writer = Callable[[Values], Letter]


@dataclass(frozen=True)
class Kind:
    """A kind of notice: what it is about, and who words it.

    `write` gets the values that `notify` was called with, as JSON gives them back.
    """

    slug: str
    topic: Topic
    write: Writer


_kinds: dict[str, Kind] = {}


def register(slug: str, topic: Topic) -> Callable[[Writer], Writer]:
    """Register the decorated function as the writer of notices of this kind."""

    def decorate(write: Writer) -> Writer:
        if slug in _kinds:
            raise ValueError(f"there is a kind {slug} already")
        _kinds[slug] = Kind(slug, topic, write)
        return write

    return decorate


def kind_of(slug: str) -> Kind:
    """Return a kind. Raises KeyError for one that no app has registered."""
    return _kinds[slug]


def kinds() -> list[Kind]:
    """Return all kinds, by name."""
    return [_kinds[slug] for slug in sorted(_kinds)]
