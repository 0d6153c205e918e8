"""`nightsafe schedule`: what a schedule means."""

import argparse
from typing import TYPE_CHECKING

from nightsafe.cli.arguments import non_empty, whole_number
from nightsafe.cli.options import Verbs, add_group, add_verb
from nightsafe.cli.output import Output

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

_MOST = 10_000
_YEARS = range(1970, 3000)


def add_parser(verbs: Verbs) -> None:
    """Declare the subcommand and its options."""
    acts = add_group(verbs, "schedule", help="show what a schedule means")
    parser = add_verb(
        acts,
        "next",
        run,
        help="print the next times of a schedule",
        json='one object {"next": [times in RFC 3339]}',
    )
    parser.add_argument(
        "--spec",
        required=True,
        type=non_empty,
        metavar="SCHEDULE",
        help="such as 'daily 02:30', 'weekdays 12:00,18:00', 'mon,thu 20:00', 'monthly 31 04:00', "
        "'every 30m', 'cron 30 2 * * *'; several are parted by semicolons",
    )
    parser.add_argument(
        "--zone", metavar="ZONE", help="the time zone, such as Europe/Berlin (default: this one)"
    )
    parser.add_argument(
        "--from", dest="start", metavar="TIME", help="after when, in RFC 3339 (default: now)"
    )
    parser.add_argument(
        "--last",
        metavar="TIME",
        help="when the last run began; if one was missed since, the first time is the one at which "
        "it is made up for",
    )
    parser.add_argument(
        "--count",
        type=whole_number(1, _MOST),
        default=10,
        metavar="N",
        help="how many times (default 10)",
    )
    parser.add_argument(
        "--window",
        action="append",
        default=[],
        metavar="SPAN",
        help="hours at which runs may begin, such as 22:00-06:00 or 'sat,sun 00:00-24:00'; may be "
        "given several times",
    )
    parser.add_argument(
        "--blackout",
        action="append",
        default=[],
        metavar="SPAN",
        help="hours at which none may, such as 'mon-fri 09:00-17:00'; may be given several times",
    )


def run(args: argparse.Namespace, output: Output) -> int:
    """Print the next times of a schedule."""
    from datetime import UTC, datetime
    from itertools import islice

    from nightsafe.schedule.parsing import parse_schedule
    from nightsafe.schedule.plan import Plan
    from nightsafe.schedule.wall_clock import find_zone, local_zone
    from nightsafe.schedule.windows import OpenHours, parse_window

    zone = find_zone(args.zone) if args.zone else local_zone()
    start = _moment(args.start, zone) if args.start else datetime.now(UTC).replace(microsecond=0)
    last = _moment(args.last, zone) if args.last else None
    schedule = parse_schedule(args.spec)
    hours = OpenHours(
        [parse_window(text) for text in args.window],
        [parse_window(text) for text in args.blackout],
    )
    found = islice(Plan(schedule, zone, hours).upcoming(last, start), args.count)
    times = [one.astimezone(zone).isoformat() for one in found]
    for one in times:
        output.line(one)
    if not schedule.rules:
        output.line(f"{schedule.text!a} has no times of its own.")
    output.result({"next": times})
    return 0


def _moment(text: str, zone: "tzinfo") -> "datetime":
    """Read a time; without an offset it is what a clock in the zone shows. Raises UsageError."""
    from contextlib import suppress
    from datetime import UTC, datetime

    from nightsafe.errors import UsageError
    from nightsafe.schedule.wall_clock import moment_of

    found: datetime | None = None
    with suppress(ValueError):
        found = datetime.fromisoformat(text)
    if found is None or found.year not in _YEARS:
        raise UsageError(
            f"{text!a} is no time; write it like 2026-03-29T02:30:00+01:00, or without the offset."
        )
    return found.astimezone(UTC) if found.tzinfo else moment_of(found, zone)
