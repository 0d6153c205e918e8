"""Tags of snapshots, and how several are written at once."""

from collections.abc import Iterable, Sequence

from nightsafe.repofile.go_space import BLANKS

TagList = tuple[str, ...]
"""Tags that are asked for together; the empty one stands for a snapshot without any."""


def split_tags(text: str) -> TagList:
    """The tags of a list as somebody writes it, the blanks around each taken off."""
    return tuple(part.strip(BLANKS) for part in text.split(","))


def flat_tags(texts: Iterable[str]) -> tuple[str, ...]:
    """All tags of several lists, empty ones left out.

    Also for those of a stored snapshot: what others wrote has no comma in it, but an older agent
    stored a list as one tag, which nothing could ask for.
    """
    return tuple(tag for text in texts for tag in split_tags(text) if tag)


def has_tags(carried: Sequence[str], wanted: TagList) -> bool:
    """Whether all that are wanted are carried. The empty tag ends the list where none is."""
    for tag in wanted:
        if not tag and not carried:
            return True
        if tag not in carried:
            return False
    return True
