"""Tags: words that a snapshot carries, separated by commas where several are written at once."""

from collections.abc import Iterable, Sequence

TagList = tuple[str, ...]
"""Tags that are asked for together; the empty one stands for a snapshot without any."""

_BLANKS = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
"""What restic takes off around a tag; Python's own idea of blanks is another."""


def split_tags(text: str) -> TagList:
    """The tags of a list as somebody writes it, the blanks around each taken off."""
    return tuple(part.strip(_BLANKS) for part in text.split(","))


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
