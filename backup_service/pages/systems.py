"""Guesses a visitor's system from what the browser sends, for a page that lists all of them."""

from collections.abc import Mapping
from enum import Enum

ASKED = "Sec-CH-UA-Platform"  # the client hint; browsers that know it send it anyway


class System(Enum):
    """A system that the agent runs on. The value is its name in addresses, then its own."""

    LINUX = ("linux", "Linux")
    MACOS = ("macos", "macOS")
    WINDOWS = ("windows", "Windows")

    @property
    def slug(self) -> str:
        """Its name in addresses."""
        return self.value[0]

    @property
    def label(self) -> str:
        """Its name for people."""
        return self.value[1]


SYSTEMS = tuple(System)
# Phones first: theirs name the system that they descend from as well.
_NONE_OF_OURS = ("android", "iphone", "ipad", "cros ")
_MARKS = (
    ("windows", System.WINDOWS),
    ("mac os", System.MACOS),
    ("macos", System.MACOS),
    ("macintosh", System.MACOS),
    ("linux", System.LINUX),
    ("x11", System.LINUX),
)


def system_of(headers: Mapping[str, str], wish: str = "") -> System | None:
    """Return the system that is asked for by its slug, or else the browser's; None if unknown."""
    for system in SYSTEMS:
        if wish == system.slug:
            return system
    told = headers.get(ASKED, "").strip('"') or headers.get("User-Agent", "")
    words = told.lower()
    if any(mark in words for mark in _NONE_OF_OURS):
        return None
    return next((system for mark, system in _MARKS if mark in words), None)
