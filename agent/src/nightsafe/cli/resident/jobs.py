"""`nightsafe jobs`: what this computer backs up by itself."""

import argparse
import os
from typing import TYPE_CHECKING, Any

from nightsafe.cli.arguments import non_empty, whole_number
from nightsafe.cli.format import printable
from nightsafe.cli.options import Verbs, add_group, add_verb
from nightsafe.cli.output import Output

if TYPE_CHECKING:
    from datetime import datetime

    from nightsafe.jobs.job import Job
    from nightsafe.jobs.job_state import JobState
    from nightsafe.jobs.jobs_file import Jobs


def add_parser(verbs: Verbs) -> None:
    """Declare the subcommand and its options."""
    acts = add_group(verbs, "jobs", help="say what this computer backs up by itself, and when")
    _add_add(acts)
    add_verb(
        acts,
        "list",
        list_jobs,
        help="list the jobs",
        json='one object {"jobs": [{"name", "paths", "schedule", "zone", "window", "blackout", '
        '"exclude", "exclude_larger_than", "exclude_caches", "one_file_system", "tags", '
        '"on_mains", "battery_above", "load_below", "before", "after", "timeout", '
        '"limit_upload", "next"}], '
        '"invalid": [{"name", "text"}]}; "next" is null for a job that waits to be asked',
    )
    parser = add_verb(
        acts,
        "run",
        run_now,
        help="run a job now, whenever it is due",
        json='one object {"name", "outcome", "snapshot_id", "unread", "error"}',
    )
    parser.add_argument("name", metavar="NAME", help="the job")
    parser = add_verb(
        acts,
        "accept",
        accept,
        help="say that a job is right to hold fewer files than before, so that it is told no more",
        json='one object {"accepted": name, "files"}',
    )
    parser.add_argument("name", metavar="NAME", help="the job")
    parser = add_verb(
        acts,
        "remove",
        remove,
        help="remove a job; its snapshots stay",
        json='one object {"removed": name}',
    )
    parser.add_argument("name", metavar="NAME", help="the job")


def _add_add(acts: Verbs) -> None:
    parser = add_verb(
        acts,
        "add",
        add,
        help="add a job",
        json="the job, as `list` has it",
    )
    parser.add_argument("name", metavar="NAME", help="a name for it")
    parser.add_argument("more", nargs="*", metavar="PATH", help="file or folder to back up")
    parser.add_argument(
        "--paths", action="append", default=[], metavar="PATH", help="the same; more may follow"
    )
    parser.add_argument(
        "--schedule",
        required=True,
        type=non_empty,
        metavar="SCHEDULE",
        help="when: such as 'daily 02:30', 'weekdays 18:00' or 'every 30m'; `nightsafe schedule "
        "next` shows what one means; manually: only when asked",
    )
    parser.add_argument(
        "--zone", default="", metavar="ZONE", help="the time zone (default: the computer's)"
    )
    _add_what(parser.add_argument_group("what is left out, and what it is called"))
    _add_when(parser.add_argument_group("when it may begin, and how long it may take"))
    _add_commands(parser.add_argument_group("what is done around it"))


def _add_what(group: Any) -> None:
    for name, text in (
        ("--exclude", "what this pattern fits; may be repeated"),
        ("--tag", "a word for its snapshots; may be repeated"),
    ):
        group.add_argument(name, action="append", default=[], metavar=name[2:].upper(), help=text)
    group.add_argument(
        "--exclude-larger-than",
        default="",
        metavar="SIZE",
        help="files of more than SIZE bytes (or 100K, 20M, 3G, 1T)",
    )
    group.add_argument(
        "--exclude-caches",
        action="store_true",
        help="the contents of folders that a CACHEDIR.TAG marks as caches",
    )
    group.add_argument(
        "-x", "--one-file-system", action="store_true", help="what lies on other file systems"
    )


def _add_when(group: Any) -> None:
    for name, text in (
        ("--window", "at these hours, such as 22:00-06:00; may be repeated"),
        ("--blackout", "not at these hours; may be repeated"),
    ):
        group.add_argument(name, action="append", default=[], metavar=name[2:].upper(), help=text)
    group.add_argument("--on-mains", action="store_true", help="while the computer is on mains")
    group.add_argument(
        "--battery-above",
        type=whole_number(1, 99),
        default=0,
        metavar="PERCENT",
        help="on mains, or while the battery is fuller than that",
    )
    group.add_argument(
        "--load-below",
        type=_load,
        default=0.0,
        metavar="LOAD",
        help="while fewer processes run than that, on average over a minute",
    )
    group.add_argument(
        "--timeout", default="", metavar="TIME", help="it is ended after so long, such as 6h"
    )


def _add_commands(group: Any) -> None:
    group.add_argument(
        "--before",
        default="",
        metavar="COMMAND",
        help="a command of the shell, such as a dump of a database; if it fails, nothing is backed "
        "up",
    )
    group.add_argument(
        "--after",
        default="",
        metavar="COMMAND",
        help="one that runs however it ended: NIGHTSAFE_OUTCOME and NIGHTSAFE_SNAPSHOT tell",
    )


def add(args: argparse.Namespace, output: Output) -> int:
    """Write a job down."""
    from nightsafe.jobs import clock
    from nightsafe.jobs.job import Job
    from nightsafe.jobs.job_state import JobState, JobStates
    from nightsafe.jobs.jobs_file import add_job, jobs_path
    from nightsafe.resident.job_run import keep

    job = Job(
        args.name,
        tuple(_absolute(path) for path in (*args.paths, *args.more)),
        args.schedule,
        zone=args.zone,
        windows=tuple(args.window),
        blackouts=tuple(args.blackout),
        excludes=tuple(args.exclude),
        exclude_larger_than=args.exclude_larger_than,
        exclude_caches=args.exclude_caches,
        one_file_system=args.one_file_system,
        tags=tuple(args.tag),
        on_mains=args.on_mains,
        battery_above=args.battery_above,
        load_below=args.load_below,
        before=args.before,
        after=args.after,
        timeout=args.timeout,
        limit_upload=tuple(args.limit_upload or ()),
    )
    _beware(job, output)
    states = JobStates()
    add_job(jobs_path(), job)
    state = JobState(added=clock.now())
    states.remove(job.name)
    keep(states, job.name, state, output.note)  # without it the job is due at once, and runs
    due = _next(job, state)
    output.line(f"Job {job.name} is added. {_told(due, job)}")
    output.result(_fields(job, due))
    return 0


def _beware(job: "Job", output: Output) -> None:
    """Say which paths are not there, or are links to what is not backed up."""
    for path in job.paths:
        if not os.path.lexists(path):
            output.note(printable(f"Beware: {path} is not there now."))
        elif os.path.islink(path) and os.path.isdir(path):
            output.note(
                printable(
                    f"Beware: {path} is a link, and only the link is backed up. The folder is "
                    f"{os.path.realpath(path)}."
                )
            )


def list_jobs(args: argparse.Namespace, output: Output) -> int:
    """List the jobs; returns 1 if one is invalid."""
    from nightsafe.jobs.job_state import JobStates
    from nightsafe.jobs.jobs_file import jobs_path, load_jobs

    jobs, states = load_jobs(jobs_path()), JobStates()
    listed = []
    for job in jobs.sound.values():
        due = _next(job, states.load(job.name))
        output.line(printable(f"{job.name}: {', '.join(job.paths)}"))
        output.line(f"    {job.schedule}. {_told(due, job)}")
        listed.append(_fields(job, due))
    for name, text in jobs.invalid.items():
        output.note(printable(f"{name}: INVALID, it does not run: {text}"))
    if not jobs.sound and not jobs.invalid:
        output.line(
            "There is no job yet. One is added by:\n"
            "    nightsafe jobs add documents --paths ~/Documents --schedule 'daily 12:30'"
        )
    invalid = [{"name": name, "text": text} for name, text in jobs.invalid.items()]
    output.result({"jobs": listed, "invalid": invalid})
    return 1 if invalid else 0


def run_now(args: argparse.Namespace, output: Output) -> int:
    """Run a job at once, in the foreground."""
    from nightsafe.cli.resident.foreground import exit_status, run_in_foreground
    from nightsafe.errors import UsageError
    from nightsafe.jobs.jobs_file import jobs_path, load_jobs

    if args.repository:  # it would count as done, and the vault would lack it
        raise UsageError(
            "A job backs up to the vault that this computer is connected to. For another place "
            "there is `nightsafe backup -r`."
        )

    state = run_in_foreground(_find(args.name, load_jobs(jobs_path())), args, output)
    output.result(_ended(args.name, state))
    return exit_status(state)


def accept(args: argparse.Namespace, output: Output) -> int:
    """Take what the last snapshot holds for all that there is."""
    from dataclasses import replace

    from nightsafe.jobs.job_state import JobState, JobStates
    from nightsafe.jobs.jobs_file import jobs_path, load_jobs

    job, states = _find(args.name, load_jobs(jobs_path())), JobStates()
    state = states.load(job.name) or JobState()
    states.save(job.name, replace(state, files_before=0))
    output.line(f"{job.name}: that its last snapshot holds {state.files} files is as it should be.")
    output.result({"accepted": job.name, "files": state.files})
    return 0


def remove(args: argparse.Namespace, output: Output) -> int:
    """Take a job out of the file."""
    from nightsafe.jobs.job_state import JobStates
    from nightsafe.jobs.jobs_file import jobs_path, remove_job

    remove_job(jobs_path(), args.name)
    JobStates().remove(args.name)
    output.line(f"Job {args.name} is removed. Its snapshots stay where they are.")
    output.result({"removed": args.name})
    return 0


def _load(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 < found <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is no load, such as 1.5")
    return found


def _absolute(path: str) -> str:
    from nightsafe.fs.files import absolute

    return os.fsdecode(absolute(os.fsencode(os.path.expanduser(path)))) if path else ""


def _find(name: str, jobs: "Jobs") -> "Job":
    from nightsafe.errors import SettingsError, UsageError

    if name in jobs.invalid:
        raise SettingsError(jobs.invalid[name])
    if name not in jobs.sound:
        known = ", ".join(jobs.sound) or "none yet"
        raise UsageError(f"There is no job {name!a}; there are: {known}.")
    return jobs.sound[name]


def _next(job: "Job", state: "JobState | None") -> "datetime | None":
    from nightsafe.jobs import clock
    from nightsafe.jobs.job_state import JobState
    from nightsafe.resident.due import next_run

    now = clock.now()
    return next_run(job, state or JobState(added=now), now)


def _told(due: "datetime | None", job: "Job") -> str:
    if due is None:
        return f"It runs when asked: nightsafe jobs run {job.name}"
    return f"Next: {due.astimezone():%Y-%m-%d %H:%M}."


def _fields(job: "Job", due: "datetime | None") -> dict[str, Any]:
    return {
        "name": job.name,
        "paths": job.paths,
        "schedule": job.schedule,
        "zone": job.zone,
        "window": job.windows,
        "blackout": job.blackouts,
        "exclude": job.excludes,
        "exclude_larger_than": job.exclude_larger_than,
        "exclude_caches": job.exclude_caches,
        "one_file_system": job.one_file_system,
        "tags": job.tags,
        "on_mains": job.on_mains,
        "battery_above": job.battery_above,
        "load_below": job.load_below,
        "before": job.before,
        "after": job.after,
        "timeout": job.timeout,
        "limit_upload": job.limit_upload,
        "next": None if due is None else due.isoformat(),
    }


def _ended(name: str, state: "JobState") -> dict[str, Any]:
    return {
        "name": name,
        "outcome": state.outcome,
        "snapshot_id": state.snapshot if state.outcome in ("complete", "incomplete") else "",
        "unread": state.unread,
        "error": state.error,
    }
