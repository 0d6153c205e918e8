"""`python -m tools.test [NAME ...]`: all tests in stages, several at a time.

Everything is tried even if something failed; the exit status tells. What a stage wants besides
Python's packages may be missing: CI (CI=true) fails then, others leave it out and say so.

Temporary files are kept in memory where there is room for them, unless TMPDIR names a place: on a
disk the tests take twice as long, for nothing of theirs outlives them.
"""

import contextlib
import io
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import BinaryIO

from backup_service.env import BASE_DIR
from tests.support import peers, postgres
from tests.support.folders import paths

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
    restic: peers.Peer | None = None  # first in PATH, in front of the machine's own
    rounds: int | None = None  # of drawn input; None for as many as each test has by itself
    is_measured: bool = False  # where COVERAGE_FILE is set: see tools.coverage
    is_on_request: bool = False  # run only where it is named


@dataclass(frozen=True)
class Outcome:
    """How a stage went."""

    stage: Stage
    went_well: bool
    text: str
    seconds: float


_printing = threading.Lock()
_MEMORY = "/dev/shm"
_ENOUGH = 8 << 30
_PLAIN = "not journey and not interop and not browser and not hardship"
_EVERY_RESTIC = "interop and not any_restic"
_WHERE_VERSIONS_DIFFER = (
    *("test_dates.py", "test_lists.py", "test_options.py", "test_patterns.py", "test_sources.py"),
    *("test_forget.py", "test_prune_options.py", "test_formats.py", "test_listing.py"),
    *("test_old_repositories.py", "test_restore_choices.py"),
)
"""Of the tests beside restic, those that tell a version that is neither the oldest nor the newest.

The page of differences names them; all of them run beside the others.
"""
_ROUNDS_BESIDE_OLDER = 3
"""What is promised is today's restic's behaviour; of older ones the table of differences is."""
_WITHOUT_DATABASE = (
    *("contracts", "documents", "soak", "unit/agent", "unit/backup_service/embedded"),
    *("unit/backup_service/agent_packages", "unit/bench", "unit/billing/stand_in"),
    *("unit/native", "unit/tools"),
)
_ONE_DATABASE_IS_ENOUGH = (
    *("gateway/test_bodies.py", "gateway/test_canary.py", "gateway/test_front.py"),
    *("gateway/test_operators.py", "gateway/test_slow_clients.py"),
    *("unit/accounts/customer_api", "unit/accounts/website", "unit/backup_service/pages"),
    *("unit/billing/customer_api", "unit/billing/stripe", "unit/billing/webhooks"),
    *("unit/billing/website", "unit/storage/customer_api", "unit/website"),
    "unit/storage/replication/test_transfer_faults.py",
)
"""What asks the database for little that differs: pages, the API, payments, what sockets do.

PostgreSQL is asked where it is here, since it is stricter; otherwise SQLite is.
"""


def _files(folder: str, names: Sequence[str]) -> list[str]:
    """Return the paths of test files, each of which is somewhere in a folder of tests."""
    found = {path.name: path for path in (BASE_DIR / "tests" / folder).rglob("test_*.py")}
    return [str(found[name].relative_to(BASE_DIR)) for name in names]


# The longest first, as they run side by side. Once is enough for what knows no database.
STAGES = (
    Stage(
        "postgres",
        "on PostgreSQL",
        [
            *("-m", _PLAIN),
            *(f"--ignore=tests/{name}" for name in (*_WITHOUT_DATABASE, *_ONE_DATABASE_IS_ENOUGH)),
        ],
        on_postgres=True,
    ),
    Stage(
        "postgres-pages",
        "pages and the API on PostgreSQL",
        ["-m", _PLAIN, *(f"tests/{name}" for name in _ONE_DATABASE_IS_ENOUGH)],
        on_postgres=True,
    ),
    Stage(
        "journeys",
        "the whole service",
        ["-m", "journey and not rehearsal", *paths("journey")],
    ),
    Stage(
        "interop",
        "with stock restic and rclone",
        ["-m", "interop", *paths("interop")],
        rounds=_ROUNDS_BESIDE_OLDER,
    ),
    Stage(
        "unit",
        "on SQLite",
        ["-m", f"{_PLAIN} and not postgres", "--ignore=tests/unit/agent"],
        is_measured=True,
    ),
    Stage("browser", "in a real browser", ["-m", "browser", *paths("browser")]),
    Stage(
        "interop-newest",
        "with the newest restic",
        ["-m", _EVERY_RESTIC, *paths("interop")],
        restic=peers.NEWEST_RESTIC,
    ),
    Stage("agent", "the agent", ["-m", _PLAIN, "tests/unit/agent"], is_measured=True),
    Stage(
        "interop-0.18",
        "with restic 0.18, where it differs",
        [
            *("-m", _EVERY_RESTIC, *_files("interop", _WHERE_VERSIONS_DIFFER)),
            "tests/interop/test_agent_local.py"
            "::test_a_link_target_that_is_not_unicode_survives_the_agent",
        ],
        restic=peers.RESTIC,
        rounds=_ROUNDS_BESIDE_OLDER,
        is_on_request=True,
    ),
    Stage(
        "rehearsals",
        "regions, upgrades, production and the runbook",
        ["-m", "rehearsal", *paths("journey")],
        is_on_request=True,
    ),
    Stage(
        "interop-0.18-all",
        "with restic 0.18, all",
        ["-m", _EVERY_RESTIC, *paths("interop")],
        restic=peers.RESTIC,
        is_on_request=True,
    ),
    Stage(
        "hardship",
        "ordinary users, odd locales, failing disks",
        ["-m", "hardship", *paths("hardship")],
    ),
)


def main(names: Sequence[str]) -> int:
    """Run the named stages, or all; return the exit status."""
    known = {stage.name: stage for stage in STAGES}
    if unknown := [name for name in names if name not in known]:
        print(f"There is no stage {unknown[0]}; there are {', '.join(known)}.")
        return 2
    with _scratch():
        chosen = [known[name] for name in names] or [one for one in STAGES if not one.is_on_request]
        outcomes = _run_all(without_repeats(chosen))
    print("\nSummary")
    for outcome in outcomes:
        mark = "ok    " if outcome.went_well else "FAILED"
        title = f"{outcome.stage.name}, {outcome.stage.title}"
        print(f"  {mark} {title:<52} {outcome.seconds:6.1f} s  {outcome.text}")
    return 0 if all(outcome.went_well for outcome in outcomes) else 1


def without_repeats(stages: Sequence[Stage]) -> list[Stage]:
    """Leave out of the stage on SQLite what one on PostgreSQL runs that is enough."""
    if "postgres-pages" not in {one.name for one in stages} or postgres.find_binaries() is None:
        return list(stages)
    ignored = [f"--ignore=tests/{name}" for name in _ONE_DATABASE_IS_ENOUGH]
    return [
        replace(stage, selection=[*stage.selection, *ignored]) if stage.name == "unit" else stage
        for stage in stages
    ]


@contextlib.contextmanager
def _scratch() -> Iterator[None]:
    """Let temporary files be in memory for the length of a `with` block, if it can be."""
    if os.environ.get("TMPDIR") or not _has_room(_MEMORY):
        yield
        return
    with tempfile.TemporaryDirectory(prefix="nightsafe-tests-", dir=_MEMORY) as folder:
        os.chmod(folder, 0o711)  # PostgreSQL is another user, who has to pass
        os.environ["TMPDIR"] = folder
        try:
            yield
        finally:
            del os.environ["TMPDIR"]


def _has_room(folder: str) -> bool:
    """Whether there is a file system in memory, large enough, that keeps attributes of files."""
    try:
        if shutil.disk_usage(folder).free < _ENOUGH or _available_memory() < _ENOUGH:
            return False
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            os.setxattr(file.name, "user.test", b"1")
    except (OSError, AttributeError):  # none there, an older kernel, another system
        return False
    return True


def _available_memory() -> int:
    with open("/proc/meminfo") as file:
        fields = dict(line.split(":", 1) for line in file)
    return int(fields["MemAvailable"].split()[0]) << 10


def _run_all(stages: Sequence[Stage]) -> list[Outcome]:
    """Run stages in their order, as many at a time as JOBS says.

    One more than there are processors, three at most: journeys mostly wait.
    """
    jobs = int(os.environ.get("JOBS") or min(3, 1 + (os.cpu_count() or 1)))
    if jobs < 2 or len(stages) < 2:
        return [_run(stage, sys.stdout.buffer) for stage in stages]
    print(f"Running {jobs} stages at a time; each shows its output when it has ended.", flush=True)
    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(_run_quietly, stages))


def _run_quietly(stage: Stage) -> Outcome:
    output = io.BytesIO()
    outcome = _run(stage, output)
    with _printing:
        sys.stdout.buffer.write(output.getvalue())
        sys.stdout.flush()
    return outcome


def _run(stage: Stage, output: BinaryIO) -> Outcome:
    output.write(f"\n=== {stage.name}: {stage.title}\n".encode())
    output.flush()
    begun = time.monotonic()
    if stage.on_postgres:
        went_well, text = _on_postgres(stage, output)
    elif stage.restic is not None:
        went_well, text = _with_restic(stage, stage.restic, output)
    else:
        went_well, text = _pytest(stage, {}, output)
    return Outcome(stage, went_well, text, time.monotonic() - begun)


def _on_postgres(stage: Stage, output: BinaryIO) -> tuple[bool, str]:
    binaries = postgres.find_binaries()
    if binaries is None:
        output.write(f"Left out: {NO_POSTGRES}.\n".encode())
        return not os.environ.get("CI"), f"left out: {NO_POSTGRES}"
    with postgres.running(binaries) as url:
        return _pytest(stage, {"DATABASE_URL": url, "NIGHTSAFE_EMBEDDED": "1"}, output)


def _with_restic(stage: Stage, restic: peers.Peer, output: BinaryIO) -> tuple[bool, str]:
    """Run tests with another restic; only a pinned one may not be missing in CI."""
    if not restic.binary.exists():
        reason = f"left out: no restic of {restic.suite} in .peers (on Debian: make peers)"
        output.write(f"{reason}\n".encode())
        return not (os.environ.get("CI") and restic.version), reason
    path = os.pathsep.join([str(restic.binary.parent), os.environ.get("PATH", os.defpath)])
    return _pytest(stage, {"PATH": path}, output)


def _pytest(stage: Stage, extra: dict[str, str], output: BinaryIO) -> tuple[bool, str]:
    """Run pytest, showing what it prints; return whether it went well, and its last line."""
    # The many processes that tests start would each compile everything again.
    ours = {"DATABASE_URL", "PYTHONDONTWRITEBYTECODE"}
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    if stage.rounds is not None:
        environment.setdefault("NIGHTSAFE_TEST_ROUNDS", str(stage.rounds))
    measured = stage.is_measured and "COVERAGE_FILE" in os.environ
    runner = ["coverage", "run", "-m", "pytest"] if measured else ["pytest"]
    command = [sys.executable, "-m", *runner, "-q", *stage.selection]
    last = b""
    with subprocess.Popen(
        command, env=environment | extra, cwd=BASE_DIR, stdout=subprocess.PIPE
    ) as run:
        while chunk := os.read(run.stdout.fileno() if run.stdout else 0, 65536):
            output.write(chunk)
            output.flush()
            last = (last + chunk)[-2000:]
    if run.returncode == NO_TESTS:
        return True, "no tests"
    if run.returncode < 0:
        return False, f"pytest was ended by {signal.Signals(-run.returncode).name}"
    lines = last.decode(errors="replace").strip().splitlines()
    return run.returncode == 0, lines[-1].strip("= ") if lines else "no output"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
