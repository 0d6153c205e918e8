"""What a notice says, and how that looks as text, as HTML and in a push message."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.template.loader import render_to_string

WIDTH = 76  # characters of a line of text


@dataclass(frozen=True)
class Link:
    """Where to go on: what the button says, and an absolute address."""

    label: str
    url: str


@dataclass(frozen=True)
class Letter:
    """A notice in words.

    `lines` are paragraphs, the first of which says it all. `facts` are shown as a table of names
    and values. `is_urgent` makes push messages ring.
    """

    subject: str
    lines: Sequence[str]
    facts: Sequence[tuple[str, str]] = ()
    link: Link | None = None
    is_urgent: bool = False

    def __post_init__(self) -> None:
        # A name with a line break in it would otherwise end a header.
        object.__setattr__(self, "subject", " ".join(self.subject.split())[:200])

    def text(self, *, footer: str) -> str:
        """Return the whole as plain text."""
        return render_to_string("notifications/letter.txt", {"letter": self, "footer": footer})

    def html(self, *, footer: str) -> str:
        """Return the whole as a page of HTML without images, scripts or anything fetched."""
        return render_to_string("notifications/letter.html", {"letter": self, "footer": footer})

    @property
    def summary(self) -> str:
        """The paragraphs and facts, for a message that has no room for more."""
        facts = [f"{name}: {value}" for name, value in self.facts]
        return "\n\n".join([*self.lines, *(["\n".join(facts)] if facts else [])])
