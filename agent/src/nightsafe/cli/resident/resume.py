"""`nightsafe resume`: end a pause."""

import argparse

from nightsafe.cli.options import Verbs, add_verb
from nightsafe.cli.output import Output


def add_parser(verbs: Verbs) -> None:
    """Declare the subcommand and its options."""
    add_verb(
        verbs,
        "resume",
        run,
        help="end a pause: what was due meanwhile begins, once",
        json='one object {"was_paused": true or false}',
    )


def run(args: argparse.Namespace, output: Output) -> int:
    """End the pause."""
    from nightsafe.jobs.pause import end_pause

    was_paused = end_pause()
    output.line("Jobs begin by themselves again." if was_paused else "There was no pause.")
    output.result({"was_paused": was_paused})
    return 0
