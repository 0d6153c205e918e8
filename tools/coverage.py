"""`python -m tools.coverage`: which branches the unit tests take, and a floor that only rises.

The stages `unit` and `agent` run under coverage.py; docs/coverage.md gets the figures, and the
floor in pyproject.toml is raised to them. In CI nothing is written: it fails below the floor, and
well above it too, until somebody has raised it. `--agree` looks only whether floor and page agree.

New processes are not measured, and neither are forked workers: there are thousands of them, and to
begin and to save in each made the agent's tests take more than three times as long. What they do
is done in the tests' own process as well.
"""

import json
import math
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from backup_service.env import BASE_DIR
from tools import test

PAGE, PROJECT = "docs/coverage.md", "pyproject.toml"
STAGES = ("unit", "agent")
SLACK = 0.3
"""Points that the floor lies below what was measured: chance and threads make so much of a
difference from run to run."""
MARGIN = 1.0
"""Points above the floor at which CI wants it raised."""
_HEAD = """\
# Coverage

Written by `make coverage`: what the stages `unit` and `agent` of the tests run through in their own
process, in per cent. Journeys, stock restic, the browser and forked workers come on top of it.
The last column is lines and branches together; it may not fall below the floor in
`pyproject.toml`, which rises with it.

| package | lines | branches | together |
|---|---:|---:|---:|
"""
_FLOOR = re.compile(r"^fail_under = [\d.]+$", re.MULTILINE)
_ROW = re.compile(r"^\| (\w+) \|.*\| ([\d.]+) \|$", re.MULTILINE)


@dataclass
class Count:
    """Lines and branches of some code, and how many of them were run through."""

    lines: int = 0
    lines_run: int = 0
    branches: int = 0
    branches_run: int = 0

    def add(self, summary: Mapping[str, int]) -> None:
        """Add a file's figures, as coverage.py calls them."""
        self.lines += summary["num_statements"]
        self.lines_run += summary["covered_lines"]
        self.branches += summary["num_branches"]
        self.branches_run += summary["covered_branches"]

    @property
    def together(self) -> float:
        """Per cent of lines and branches."""
        return _percent(self.lines_run + self.branches_run, self.lines + self.branches)

    def row(self, name: str) -> str:
        """Return a row of the page."""
        lines = _percent(self.lines_run, self.lines)
        branches = _percent(self.branches_run, self.branches)
        return f"| {name} | {lines:.1f} | {branches:.1f} | {self.together:.1f} |\n"


def main(arguments: Sequence[str]) -> int:
    """Measure, or with `--agree` only compare what is written; return the exit status.

    `all` runs the stages that are not measured beside those that are, as `make test` does.
    """
    if list(arguments) == ["--agree"]:
        return _told(disagreements(BASE_DIR))
    with tempfile.TemporaryDirectory(prefix="nightsafe-coverage-") as folder:
        os.environ["COVERAGE_FILE"] = str(Path(folder) / "data")
        if status := test.main([] if list(arguments) == ["all"] else STAGES):
            print("The tests failed, so that what they cover says nothing.")
            return status
        counts = _counts(Path(folder) / "report.json")
    measured = counts["all"].together
    print("".join(count.row(name) for name, count in counts.items()))
    if os.environ.get("CI"):
        return _told(verdict(measured, floor(BASE_DIR)))
    (BASE_DIR / PAGE).write_text(page(counts))
    raise_floor(BASE_DIR, measured)
    return _told(verdict(measured, floor(BASE_DIR)))


def verdict(measured: float, least: float) -> Iterator[str]:
    """Yield what is wrong with what was measured, beside the floor."""
    if measured < least:
        yield f"The floor is {least:.1f}, and {measured:.1f} was measured: test what is new."
    elif measured > least + MARGIN:
        yield (
            f"The floor is {least:.1f}, and {measured:.1f} was measured: raise it. "
            "`make coverage` does."
        )


def floor(top: Path) -> float:
    """Return what the checkout below `top` may not fall below."""
    project = tomllib.loads((top / PROJECT).read_text())
    return float(project["tool"]["coverage"]["report"]["fail_under"])


def raise_floor(top: Path, measured: float) -> None:
    """Set the floor to just below what was measured, unless that would lower it."""
    raised = math.floor(10 * (measured - SLACK)) / 10
    if raised > floor(top):
        path = top / PROJECT
        path.write_text(_FLOOR.sub(f"fail_under = {raised:.1f}", path.read_text()))


def disagreements(top: Path) -> Iterator[str]:
    """Yield where the page is of other packages than are measured, or says more than the floor."""
    text = (top / PAGE).read_text()
    rows = {name: float(figure) for name, figure in _ROW.findall(text)}
    project = tomllib.loads((top / PROJECT).read_text())
    packages = set(project["tool"]["coverage"]["run"]["source"])
    if set(rows) != packages | {"all"}:
        yield f"{PAGE} is not of {', '.join(sorted(packages))}: `make coverage` writes it anew."
    else:
        yield from verdict(rows["all"], floor(top))


def page(counts: Mapping[str, Count]) -> str:
    """Return the text of the page."""
    return _HEAD + "".join(count.row(name) for name, count in counts.items())


def _counts(report: Path) -> dict[str, Count]:
    """Put together what the stages left; return each package's figures, and those of all."""
    for command in (["combine", "--quiet"], ["json", "--quiet", "--fail-under=0", "-o", report]):
        subprocess.run([sys.executable, "-m", "coverage", *command], cwd=BASE_DIR, check=True)
    counts = {"all": Count()}
    for name, found in sorted(json.loads(report.read_text())["files"].items()):
        package = name.partition("src/")[2] or name
        counts.setdefault(package.split("/")[0], Count()).add(found["summary"])
        counts["all"].add(found["summary"])
    return {name: counts[name] for name in (*sorted(counts.keys() - {"all"}), "all")}


def _percent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 100.0


def _told(sentences: Iterator[str]) -> int:
    """Print what there is to say; return the exit status."""
    found = list(sentences)
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
