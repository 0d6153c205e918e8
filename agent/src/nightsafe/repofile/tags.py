"""Parses and matches the tags of snapshots."""

from collections.abc import Iterable, Sequence

from nightsafe.repofile.go_space import BLANKS

TagList = tuple[str, ...]
"""Tags that must all match; an empty tag matches snapshots without tags."""


def split_tags(text: str) -> TagList:
    """Split a comma-separated list of tags and strip each."""
    return tuple(part.strip(BLANKS) for part in text.split(","))


def flat_tags(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the tags of several comma-separated lists, without empty ones.

    It is applied to stored snapshots too: an older agent stored a whole list as one tag, which no
    filter could match. No other program writes a comma.
    """
    return tuple(tag for text in texts for tag in split_tags(text) if tag)


def has_tags(carried: Sequence[str], wanted: TagList) -> bool:
    """Whether all `wanted` tags are there. An empty tag matches a snapshot without tags."""
    for tag in wanted:
        if not tag and not carried:
            return True
        if tag not in carried:
            return False
    return True
