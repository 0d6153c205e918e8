"""`nightsafe unlock`: remove locks left behind."""

import argparse

from nightsafe.amounts import show_count
from nightsafe.cli.options import Verbs, add_verb, opened_repository
from nightsafe.cli.output import Output


def add_parser(verbs: Verbs) -> None:
    """Declare the subcommand and its options."""
    parser = add_verb(
        verbs,
        "unlock",
        run,
        help="remove locks whose holders are gone",
        json='one object {"removed"}',
    )
    parser.add_argument(
        "--all",
        "--remove-all",
        action="store_true",
        help="remove every lock; only when you know that no other program is at work",
    )


def run(args: argparse.Namespace, output: Output) -> int:
    """Remove stale locks, or all locks."""
    from nightsafe.repository.locks import remove_locks

    with opened_repository(args, output) as repository:
        removed = remove_locks(repository, everything=args.all)
    output.line(f"{show_count(removed, 'lock')} removed")
    output.result({"removed": removed})
    return 0
