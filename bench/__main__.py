"""`python -m bench`: measure the agent beside stock restic and Borg."""

import argparse
import os
import sys
from pathlib import Path

from bench import report
from bench.cases import DATA, GROUPS, Results, Setting, measure
from bench.datasets import MissingError
from bench.measure import busy_share
from bench.peers import available
from bench.targets import BEFORE

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"


def main() -> int:
    """Run what the options ask for; 1 when it could not be measured."""
    args = _parser().parse_args()
    if args.write and args.before:
        print("--write and --before: the page shows one build only", file=sys.stderr)
        return 2
    setting = Setting(Path(args.dir), args.quick)
    repeat = args.repeat or (1 if args.quick else 5)
    wanted = [*args.peers.split(","), BEFORE]
    found = available(setting.scratch / "work", args.before)
    peers = [peer for peer in found if peer.name in wanted]
    results, busy = Results(), 0.0
    try:
        for letter in filter(DATA.__contains__, args.cases):
            setting.data(letter)
        if args.build_only:
            return 0
        busy = busy_share()
        measure(args.cases, setting, peers, repeat=repeat, results=results)
    except (MissingError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        if results.costs:
            lines = [report.table(results, peers, judged=not args.quick), *report.bounds(results)]
            print("\n" + "\n".join(lines))
    if args.write:
        page = report.page(results, peers, repeat=repeat, quick=args.quick, busy=busy)
        PAGE.write_text(page)
        print(f"written to {PAGE}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--cases",
        default="abcfghus",
        metavar="LETTERS",
        type=_letters,
        help="a sources, b random, c archive, f a million files, g releases, h and u restores "
        "over what is there, s snapshots far away (default all)",
    )
    parser.add_argument("--repeat", type=int, default=0, help="rounds (5, or 1 with --quick)")
    parser.add_argument("--quick", action="store_true", help="small data, one round")
    parser.add_argument("--peers", default="nightsafe,restic,borg", help="programs, with commas")
    parser.add_argument(
        "--before",
        type=_program,
        metavar="PROGRAM",
        help="the nightsafe of another build, in an environment of its own: measured too",
    )
    parser.add_argument(
        "--dir",
        default=os.environ.get("BENCH_DIR", "/dev/shm/bench"),
        help="scratch folder, about 12 GB, best in memory (BENCH_DIR, or /dev/shm/bench)",
    )
    parser.add_argument("--build-only", action="store_true", help="only build the data sets")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name} in docs/")
    return parser


def _program(text: str) -> Path:
    program = Path(text).absolute()  # not resolved: an environment's python is often a link
    for path in (program, program.with_name("python")):
        if not os.access(path, os.X_OK):
            raise argparse.ArgumentTypeError(f"{path} is not a program")
    return program


def _letters(text: str) -> str:
    letters = "".join(dict.fromkeys(text.replace(",", "")))
    if not letters or set(letters) - set(GROUPS):
        raise argparse.ArgumentTypeError(f"choose among {', '.join(GROUPS)}")
    return letters


if __name__ == "__main__":
    sys.exit(main())
