"""`nightsafe pause`: let no job begin by itself for a while."""

import argparse

from nightsafe.cli.options import Verbs, add_verb
from nightsafe.cli.output import Output


def add_parser(verbs: Verbs) -> None:
    """Declare the subcommand and its options."""
    parser = add_verb(
        verbs,
        "pause",
        run,
        help="let no job begin by itself for a while; one that runs is broken off, and goes on "
        "afterwards from where it was",
        json='one object {"paused_until": a moment, or null where it has no end}',
    )
    parser.add_argument(
        "time",
        nargs="?",
        default="",
        metavar="TIME",
        help="how long: such as 30m, 2h, 3d or tomorrow, which means the rest of this day "
        "(default: until `nightsafe resume`)",
    )


def run(args: argparse.Namespace, output: Output) -> int:
    """Write the pause down."""
    from nightsafe.jobs import clock
    from nightsafe.jobs.pause import FOR_EVER, begin_pause, pause_end

    until = pause_end(args.time, clock.now())
    begin_pause(until)
    is_open = until == FOR_EVER
    at = "`nightsafe resume`" if is_open else f"{until.astimezone():%Y-%m-%d %H:%M}"
    output.line(f"No job begins by itself until {at}. One that is asked for runs all the same.")
    output.result({"paused_until": None if is_open else until.isoformat()})
    return 0
