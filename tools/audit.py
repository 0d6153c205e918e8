"""`python -m tools.audit`: known weaknesses of the libraries that requirements/all.txt names.

It asks a feed of advisories by pip-audit. Where there is no pip-audit, or no feed can be reached,
it says so and succeeds: it is no fault of the checkout.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from backup_service.env import BASE_DIR

LOCK = "requirements/all.txt"


@dataclass(frozen=True)
class Findings:
    """What a feed told: of how many libraries it knew, and of which it knew something bad."""

    known: int
    weak: tuple[str, ...]


def main() -> int:
    """Print what is known; return the exit status."""
    program = shutil.which("pip-audit")
    if program is None:
        return _left_out("there is no pip-audit here")
    command = [program, "--require-hashes", "--disable-pip", "--progress-spinner=off"]
    done = subprocess.run(
        [*command, "--format=json", "-r", LOCK],
        cwd=BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        found = read(done.stdout)
    except ValueError:
        return _left_out(f"pip-audit told nothing, but: {done.stderr.strip()[-200:]}")
    if not found.known:
        return _left_out("the feed that can be reached knows none of the libraries")
    print("\n".join(found.weak) or f"nothing is known against {found.known} libraries")
    return 1 if found.weak else 0


def read(report: str) -> Findings:
    """Read pip-audit's report; ValueError if it is none."""
    libraries = [one for one in json.loads(report)["dependencies"] if "vulns" in one]
    return Findings(len(libraries), tuple(_sentences(libraries)))


def _sentences(libraries: list[dict[str, Any]]) -> Iterator[str]:
    for library in libraries:
        for weakness in library["vulns"]:
            mended = ", ".join(weakness["fix_versions"]) or "no version"
            yield f"{library['name']} {library['version']}: {weakness['id']}, mended in {mended}"


def _left_out(reason: str) -> int:
    print(f"Left out: {reason}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
