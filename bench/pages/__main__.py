"""`python -m bench.pages`: how long pages take that show figures of much, beside an older build.

An older build makes the rows: 100 devices of one account, 100,000 snapshots, and objects with a
million replicas in three regions. It is asked for the dashboard and for the staff's page of
regions; then this build takes over the database, as in an upgrade, and is asked for the same.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.measure import busy_share

TOP = Path(__file__).parents[2]
PAGE = TOP / "docs" / "benchmarks-pages.md"
MOST = {"dashboard": 0.060, "regions": 0.100}  # seconds of the server, at p95
NAMES = {"dashboard": "dashboard, 100 devices", "regions": "regions in the admin"}
Results = Mapping[str, Any]


def main() -> int:
    """Measure and, if asked, write the page; 1 when a page was too slow."""
    parser = argparse.ArgumentParser(prog="python -m bench.pages", description=__doc__)
    parser.add_argument("--before", required=True, metavar="COMMIT", help="the build beside it")
    parser.add_argument("--share", type=float, default=1.0, help="of all those rows (1.0)")
    parser.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name}")
    parser.add_argument("--dir", default="/dev/shm" if Path("/dev/shm").is_dir() else None)
    args = parser.parse_args()
    busy = busy_share()
    with tempfile.TemporaryDirectory(prefix="nightsafe-pages-", dir=args.dir) as folder:
        older = _source_of(args.before, Path(folder))
        data = Path(folder) / "data"
        data.mkdir()
        filled = _run(older, data, "fill", str(args.share))
        before, now = _run(older, data, "measure"), _run(TOP, data, "measure")
    lines = _table(before, now)
    lines += [
        "",
        f"The upgrade counted {filled['replicas']:,} replicas in {now['migration']:.0f} s.",
    ]
    print("\n".join(lines))
    if args.write:
        PAGE.write_text(_page(lines, busy, filled["replicas"]))
        print(f"written to {PAGE}")
    return 0 if all(now[page]["p95"] <= most for page, most in MOST.items()) else 1


def _source_of(commit: str, folder: Path) -> Path:
    """Put a commit's files into a folder of their own."""
    source, archive = folder / "before", folder / "before.tar"
    source.mkdir()
    git = ["git", "-C", str(TOP), "archive", "--output", str(archive), commit]
    subprocess.run(git, check=True)
    subprocess.run(["tar", "-xf", str(archive), "-C", str(source)], check=True)
    return source


def _run(source: Path, data: Path, *arguments: str) -> Results:
    """Run a build's share of the work, and return what it printed."""
    regions = ",".join(f"{alias}={data / alias}" for alias in "abc")
    for alias in "abc":
        (data / alias).mkdir(exist_ok=True)
    environment = os.environ | {
        "PYTHONPATH": str(source),
        "DATA_DIR": str(data),
        "NIGHTSAFE_EMBEDDED": "1",
        "NIGHTSAFE_REGIONS": regions,
        "DATABASE_URL": f"sqlite:///{data}/rows.sqlite3",
    }
    command = [sys.executable, "-P", str(Path(__file__).with_name("build.py")), *arguments]
    done = subprocess.run(command, cwd=source, env=environment, stdout=subprocess.PIPE, check=True)
    result: Results = json.loads(done.stdout.splitlines()[-1])
    return result


def _table(before: Results, now: Results) -> list[str]:
    lines = [
        "| page | build | processor | median | p95 | times as fast | size |",
        "|---|---|---|---|---|---|---|",
    ]
    for page, name in NAMES.items():
        for build, found in (("before", before[page]), ("this one", now[page])):
            lines.append(
                f"| {name} | {build} | {found['processor'] * 1000:.0f} ms "
                f"| {found['median'] * 1000:.0f} ms "
                f"| {found['p95'] * 1000:.0f} ms "
                f"| {before[page]['processor'] / found['processor']:.1f} "
                f"| {found['bytes'] / 1000:.1f} KB |"
            )
    return lines


def _page(lines: list[str], busy: float, replicas: int) -> str:
    table = "\n".join(lines)
    return f"""# Pages that show figures of much, measured

One account on the Plus plan with 100 devices and a vault each, 100,000 snapshots, and objects with
{replicas:,} replicas in three regions; the rows were inserted, the bytes are not there. The
dashboard may take {MOST["dashboard"] * 1000:.0f} ms at p95, the page of regions \
{MOST["regions"] * 1000:.0f} ms: time of the server,
without the network. "Processor" is the processor's part of it, at the median, which others' work on
the computer changes little; it is what "times as fast" compares. The database is SQLite.
The build before counted rows on every view.

{table}

Written by `python -m bench.pages --before COMMIT --write` on {time.strftime("%Y-%m-%d")}, on \
{os.cpu_count()} processors ({platform.machine()}), {busy:.0%} of which others used; its niceness \
was {os.nice(0)}.
"""


if __name__ == "__main__":
    sys.exit(main())
