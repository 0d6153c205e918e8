"""Reads which packages there are to download, from the list that the build wrote.

The list comes last in a build, so a folder that has one is whole. Only files that it names are
handed out.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

LIST = "packages.json"
AGENT = "nightsafe"


@dataclass(frozen=True)
class Package:
    """One file: a wheel or a source distribution. `size` in bytes."""

    file: str
    project: str  # as an index spells it: lower case, dashes
    version: str
    sha256: str
    size: int
    requires_python: str = ""

    @property
    def is_source(self) -> bool:
        """Whether it has to be built where it is installed."""
        return self.file.endswith(".tar.gz")

    @property
    def tags(self) -> tuple[str, str]:
        """Which Python and which system a wheel is for, as in `cp311`, `linux_x86_64`."""
        if self.is_source:
            return "", ""
        python, _, system = self.file.removesuffix(".whl").split("-")[-3:]
        return python, system

    @property
    def python(self) -> str:
        """Which Python a wheel is for: 3.11."""
        version = self.tags[0].removeprefix("cp")
        return f"{version[:1]}.{version[1:]}"

    @property
    def system(self) -> str:
        """Which system a wheel is for: Linux."""
        return self.tags[1].partition("_")[0].capitalize()

    @property
    def machine(self) -> str:
        """Which processor a wheel is for: x86_64."""
        return self.tags[1].partition("_")[2]


@dataclass(frozen=True)
class Catalogue:
    """All packages, the agent's and what it needs."""

    packages: tuple[Package, ...] = ()

    @property
    def source(self) -> Package | None:
        """The agent's source distribution."""
        return next((one for one in self.of(AGENT) if one.is_source), None)

    @property
    def wheels(self) -> list[Package]:
        """The agent's wheels."""
        return [one for one in self.of(AGENT) if not one.is_source]

    @property
    def projects(self) -> list[str]:
        """The names of all projects, in order."""
        return sorted({one.project for one in self.packages})

    def of(self, project: str) -> list[Package]:
        """Return a project's files."""
        return [one for one in self.packages if one.project == project]

    def named(self, file: str) -> Package | None:
        """Return the package of this file name."""
        return next((one for one in self.packages if one.file == file), None)


def read(folder: Path) -> Catalogue:
    """Return what a build left in a folder; nothing, if there was none."""
    try:
        content = (folder / LIST).read_text(encoding="utf-8")
    except FileNotFoundError:
        return Catalogue()
    rows: list[Mapping[str, Any]] = json.loads(content)
    return Catalogue(tuple(Package(**row) for row in rows))


def write(folder: Path, packages: Iterable[Package]) -> None:
    """Leave the list in a folder, whole or not at all."""
    draft = folder / f"{LIST}.draft"
    draft.write_text(json.dumps([asdict(one) for one in packages], indent=1), encoding="utf-8")
    draft.replace(folder / LIST)
