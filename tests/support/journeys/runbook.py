"""Following an operator's handbook to the letter: its commands, taken from the page."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from backup_service.env import BASE_DIR
from tests.support.journeys.service import Service

PAGE = BASE_DIR / "docs" / "operations.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(title: str) -> list[str]:
    """Return the commands of a section, in their order."""
    page = PAGE.read_text()
    _, found, rest = page.partition(f"\n### {title}\n")
    assert found, f"{PAGE.name} has no section {title}"
    section = re.split(r"^##+ ", rest, maxsplit=1, flags=re.MULTILINE)[0]
    return [line for block in BLOCK.findall(section) for line in block.splitlines() if line]


def follow(title: str, service: Service, drives: Path) -> Iterator[tuple[str, str]]:
    """Do what a section says; yield each command with what it printed, once it is done.

    The page's drives, /disk1 and so on, are folders below `drives`.
    """
    for command in commands(title):
        words = shlex.split(command.replace("=/disk", f"={drives}/disk"))
        if words[0] == "manage.py":
            yield command, service.manage(*words[1:])
            continue
        assert words[-2:] == ["make", "serve"], f"nobody can follow {command!r}"
        service.restart(**dict(word.split("=", 1) for word in words[:-2]))
        yield command, service.output
