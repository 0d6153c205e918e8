"""`nightsafe setup`: from nothing to a backup that runs by itself, in one go."""

import argparse
import sys

from nightsafe.cli.arguments import non_empty
from nightsafe.cli.commands.login import add_site
from nightsafe.cli.options import Verbs, add_verb, opened_storage
from nightsafe.cli.output import Output


def add_parser(verbs: Verbs) -> None:
    """Declare the subcommand and its options."""
    parser = add_verb(
        verbs,
        "setup",
        run,
        help="set this computer up: connect it, choose folders, a passphrase and a schedule, make "
        "a recovery kit, and begin the first backup; what is there already stays, so it may be "
        "run again",
        json='one object {"repository", "vault": "made" or "opened", "kit", "job", "next", '
        '"service": "installed" or "none", "first_backup": an outcome as of `jobs run`, or null}',
    )
    add_site(parser)
    parser.add_argument(
        "--non-interactive",
        action="store_true",
        help="ask nothing but that the code be confirmed on the website; wants --answers",
    )
    parser.add_argument(
        "--answers",
        type=non_empty,
        metavar="FILE",
        help="a file of TOML with the answers: folders, kit, and also site, computer, job, "
        "schedule, exclude, keep_passphrase, service, first_backup",
    )


def run(args: argparse.Namespace, output: Output) -> int:
    """Ask, or read the answers, and do one step after the other."""
    from nightsafe.errors import UsageError
    from nightsafe.setup.answers import load_answers

    if args.non_interactive and not args.answers:
        raise UsageError("--non-interactive wants --answers FILE, which holds the answers.")
    if not args.answers and (output.as_json or not sys.stdin.isatty()):
        raise UsageError(
            "There is no terminal to ask at. Write the answers to a file and give it with "
            "--answers; `nightsafe setup --help` names them."
        )
    from nightsafe.cli.setup.context import Context
    from nightsafe.cli.setup.job import add_job, given_job
    from nightsafe.cli.setup.start import back_up, install_service
    from nightsafe.cli.setup.vault import connect_computer, prepare_vault, require_kit

    context = Context(args, output, load_answers(args.answers) if args.answers else None)
    if context.given:
        given_job(context)  # nothing is made before all is understood
        require_kit(context)
    connect_computer(context)
    with opened_storage(args) as storage:
        prepare_vault(context, storage)
    job = add_job(context)
    install_service(context)
    status = back_up(context, job)
    if status:
        output.line(f"All is set up but the first backup: nightsafe jobs run {job.name}")
    else:
        output.line("This computer is set up. `nightsafe status` tells how its backups go.")
    output.result(context.done)
    return status
