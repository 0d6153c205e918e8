"""`nightsafe config`: take a computer's set-up to another one."""

import argparse
import os
import sys
from typing import TYPE_CHECKING

from nightsafe.cli.arguments import non_empty
from nightsafe.cli.format import printable
from nightsafe.cli.options import Verbs, add_group, add_verb, opened_storage
from nightsafe.cli.output import Output

if TYPE_CHECKING:
    from nightsafe.jobs.exported import Exported


def add_parser(verbs: Verbs) -> None:
    """Declare the subcommands and their options."""
    acts = add_group(verbs, "config", help="take this computer's set-up to another one")
    out = add_verb(
        acts,
        "export",
        _export,
        help="write to a file how this computer is set up: the vault's address and the jobs, "
        "without credential and passphrase",
        json='one object {"file", "repository", "jobs": names}',
    )
    out.add_argument("file", type=non_empty, metavar="FILE", help="where to")
    into = add_verb(
        acts,
        "import",
        _import,
        help="set this computer up as such a file says: connect it, open the vault, write down the "
        "jobs; what is there already stays",
        json="nothing: it asks at a terminal, and refuses without one",
    )
    into.add_argument("file", type=non_empty, metavar="FILE", help="the file")


def _export(args: argparse.Namespace, output: Output) -> int:
    """Write the file."""
    import socket

    from nightsafe.errors import SettingsError
    from nightsafe.jobs.exported import Exported, export
    from nightsafe.jobs.jobs_file import jobs_path, load_jobs
    from nightsafe.settings.login import load_login

    jobs, login = load_jobs(jobs_path()), load_login()
    if jobs.invalid:
        name, text = next(iter(jobs.invalid.items()))
        raise SettingsError(f"Job {name} cannot be understood, so nothing was written: {text}")
    if login is None:
        raise SettingsError("This computer is not connected yet, so there is nothing to export.")
    export(args.file, Exported(login.site, login.url, socket.gethostname(), jobs.sound))
    output.line(printable(f"The set-up is in {args.file}: where the vault is, and the jobs."))
    output.line(
        "Neither a credential nor a passphrase is in it. To use it, somebody needs the password of "
        "the website, and the vault's passphrase or recovery kit."
    )
    if any(job.before or job.after for job in jobs.sound.values()):
        output.note("Beware: the commands before and after a backup are in it, as they stand.")
    output.result({"file": args.file, "repository": login.url, "jobs": list(jobs.sound)})
    return 0


def _import(args: argparse.Namespace, output: Output) -> int:
    """Do what `setup` does, with the jobs of the file."""
    from nightsafe.cli.setup.context import Context
    from nightsafe.cli.setup.start import install_service
    from nightsafe.cli.setup.vault import connect_computer, prepare_vault
    from nightsafe.errors import UsageError
    from nightsafe.jobs.exported import load_exported

    exported = load_exported(args.file)
    if output.as_json or not sys.stdin.isatty():
        raise UsageError(
            "There is no terminal to ask at. Where nobody sits at one, `nightsafe setup --answers` "
            "takes the answers from a file, and `nightsafe jobs add` each job."
        )
    added = _new_jobs(exported, args.file)
    args.site, args.computer = exported.site, None
    context = Context(args, output, None)
    connect_computer(context)
    with opened_storage(args) as storage:
        if exported.repository and storage.location != exported.repository:
            output.note(
                f"Beware: this computer is connected to {storage.location}, and the file is about "
                f"{exported.repository}."
            )
        prepare_vault(context, storage)
    _write_down(exported, added, output)
    install_service(context)
    return 0


def _new_jobs(exported: "Exported", file: str) -> list[str]:
    """Return which jobs are not here yet. UsageError if there is another one of a name."""
    from nightsafe.errors import UsageError
    from nightsafe.jobs.jobs_file import jobs_path, load_jobs

    known = load_jobs(jobs_path()).sound
    for name, job in exported.jobs.items():
        if name in known and known[name] != job:
            raise UsageError(
                f"There is another job {name} here already. Remove it (nightsafe jobs remove "
                f"{name}), or give it another name in {file}."
            )
    return [name for name in exported.jobs if name not in known]


def _write_down(exported: "Exported", added: list[str], output: Output) -> None:
    from nightsafe.jobs import clock
    from nightsafe.jobs.job_state import JobState, JobStates
    from nightsafe.jobs.jobs_file import add_job, jobs_path

    for name in added:
        JobStates().save(name, JobState(added=clock.now()))
        add_job(jobs_path(), exported.jobs[name])
    for name, job in exported.jobs.items():
        output.line(printable(f"Job {name} is there: {', '.join(job.paths)}"))
        missing = [path for path in job.paths if not os.path.lexists(path)]
        if missing:
            output.note(
                printable(
                    f"Not there yet: {', '.join(missing)}. `nightsafe snapshots` says which "
                    "snapshot has them; restore that one before the job runs."
                )
            )
