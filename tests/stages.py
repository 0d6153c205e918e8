"""`python -m tests.stages [NAME ...]`: all tests in stages, the quick ones first.

Everything is tried even if something failed; the exit status tells. What a stage wants besides
Python's packages may be missing: CI (CI=true) fails then, others leave it out and say so.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from backup_service.env import BASE_DIR
from tests import postgres

NO_TESTS = 5  # pytest's exit status
NO_POSTGRES = (
    "no PostgreSQL here (initdb is neither in PATH nor below /usr/lib/postgresql); "
    "on Debian: apt install postgresql"
)


@dataclass(frozen=True)
class Stage:
    """Some of the tests, and the database that they run on."""

    name: str
    title: str
    selection: Sequence[str]
    on_postgres: bool = False


@dataclass(frozen=True)
class Outcome:
    """How a stage went."""

    stage: Stage
    went_well: bool
    text: str
    seconds: float


_PLAIN = "not journey and not interop and not browser"
STAGES = (
    Stage("unit", "on SQLite", ["-m", f"{_PLAIN} and not postgres"]),
    # The agent knows no database, so once is enough for it.
    Stage("postgres", "on PostgreSQL", ["-m", _PLAIN, "--ignore=tests/agent"], on_postgres=True),
    Stage("interop", "with stock restic and rclone", ["-m", "interop"]),
    Stage("journeys", "the whole service", ["-m", "journey and not browser and not interop"]),
    Stage("browser", "in a real browser", ["-m", "browser"]),
)


def main(names: Sequence[str]) -> int:
    """Run the named stages, or all; return the exit status."""
    known = {stage.name: stage for stage in STAGES}
    if unknown := [name for name in names if name not in known]:
        print(f"There is no stage {unknown[0]}; there are {', '.join(known)}.")
        return 2
    outcomes = [_run(known[name]) for name in names or known]
    print("\nSummary")
    for outcome in outcomes:
        mark = "ok    " if outcome.went_well else "FAILED"
        title = f"{outcome.stage.name}, {outcome.stage.title}"
        print(f"  {mark} {title:<38} {outcome.seconds:6.1f} s  {outcome.text}")
    print(f"  {sum(outcome.seconds for outcome in outcomes):.0f} s in all")
    return 0 if all(outcome.went_well for outcome in outcomes) else 1


def _run(stage: Stage) -> Outcome:
    print(f"\n=== {stage.name}: {stage.title}", flush=True)
    begun = time.monotonic()
    if stage.on_postgres:
        went_well, text = _on_postgres(stage)
    else:
        went_well, text = _pytest(stage, {})
    return Outcome(stage, went_well, text, time.monotonic() - begun)


def _on_postgres(stage: Stage) -> tuple[bool, str]:
    binaries = postgres.find_binaries()
    if binaries is None:
        print(f"Left out: {NO_POSTGRES}.", flush=True)
        return not os.environ.get("CI"), f"left out: {NO_POSTGRES}"
    with postgres.running(binaries) as url:
        return _pytest(stage, {"DATABASE_URL": url, "NIGHTSAFE_EMBEDDED": "1"})


def _pytest(stage: Stage, extra: dict[str, str]) -> tuple[bool, str]:
    """Run pytest, showing what it prints; return whether it went well, and its last line."""
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    command = [sys.executable, "-m", "pytest", "-q", *stage.selection]
    last = ""
    with subprocess.Popen(
        command, env=environment | extra, cwd=BASE_DIR, stdout=subprocess.PIPE
    ) as run:
        while chunk := os.read(run.stdout.fileno() if run.stdout else 0, 65536):
            text = chunk.decode(errors="replace")
            print(text, end="", flush=True)
            last = (last + text)[-2000:]
    if run.returncode == NO_TESTS:
        return True, "no tests"
    lines = last.strip().splitlines()
    return run.returncode == 0, lines[-1].strip("= ") if lines else "no output"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
