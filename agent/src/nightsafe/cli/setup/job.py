"""The step of a set-up that says what is backed up, and when."""

import os
from collections.abc import Mapping

from nightsafe.amounts import show_count, show_size
from nightsafe.cli.format import printable
from nightsafe.cli.setup.context import Context
from nightsafe.jobs.job import Job


def add_job(context: Context) -> Job:
    """Write a job down, unless there is one of its name, and return it.

    UsageError if that one is another than the answers say.
    """
    from nightsafe.errors import UsageError
    from nightsafe.jobs import clock
    from nightsafe.jobs.job_state import JobState, JobStates
    from nightsafe.jobs.jobs_file import add_job as write_down
    from nightsafe.jobs.jobs_file import jobs_path, load_jobs
    from nightsafe.resident.due import next_run

    known = load_jobs(jobs_path()).sound
    job = given_job(context) if context.given else _asked_job(context, known)
    if job.name in known and known[job.name] != job:
        raise UsageError(
            f"There is another job {job.name} already. Give this one another name (job = ...), or "
            f"remove that one: nightsafe jobs remove {job.name}"
        )
    now = clock.now()
    if job.name not in known:
        JobStates().save(job.name, JobState(added=now))
        write_down(jobs_path(), job)
    due = next_run(job, JobStates().load(job.name) or JobState(added=now), now)
    context.done["job"] = job.name
    context.done["next"] = None if due is None else due.isoformat()
    if due is not None:
        at = f"{due.astimezone():%Y-%m-%d %H:%M}"
        told = "is there already" if job.name in known else "is written down"
        context.output.line(f"Job {job.name} {told}: {job.schedule}, next {at}.")
    return job


def given_job(context: Context) -> Job:
    """Return the job that the answers say. UsageError if there can be none such."""
    from nightsafe.errors import UsageError

    given = context.given
    assert given is not None
    named = [os.path.expanduser(path) for path in given.folders]
    for path in named:
        if not os.path.isabs(path):
            raise UsageError(f"folders: {path} has to be absolute, or begin with ~.")
    folders = tuple(os.path.realpath(path) for path in named)
    for path in folders:
        if not os.path.lexists(path):
            context.output.note(printable(f"Beware: {path} is not there now."))
    return Job(given.job, folders, given.schedule, excludes=given.exclude)


def _asked_job(context: Context, known: Mapping[str, Job]) -> Job:
    from nightsafe.setup.answers import DEFAULT_JOB, DEFAULT_SCHEDULE

    ask = context.questions
    if known:
        first = next(iter(known.values()))
        ask.say(printable(f"There is a job already, {first.name}: {', '.join(first.paths)}"))
        if ask.confirm("Stay with that?"):
            return first
    folders = _ask_for_folders(context)
    name = DEFAULT_JOB
    while name in known:
        name += "-too"

    def job(typed: str) -> Job:
        return Job(name, tuple(folders), typed)

    ask.say(
        "When shall they be backed up? Such as daily 12:30, weekdays 18:00, every 4h; what was "
        "missed while the computer was off is made up for once."
    )
    return ask.ask("Schedule", job, default=DEFAULT_SCHEDULE)


def _ask_for_folders(context: Context) -> list[str]:
    from nightsafe.errors import UsageError
    from nightsafe.setup.folders import is_utf8, suggested_folders, without_nested

    ask, found = context.questions, [one for one in suggested_folders() if is_utf8(one)]
    folders: list[str] = []
    if found:
        ask.say("Which folders are backed up? Type their numbers, such as 1 3.")
        chosen = ask.choose("Folders", [_described(folder) for folder in found])
        folders = [found[number] for number in chosen]

    def more(typed: str) -> list[str]:
        paths = [os.path.expanduser(part.strip()) for part in typed.split(",") if part.strip()]
        if not paths and not folders:
            raise UsageError("Name at least one folder.")
        for path in paths:
            if not os.path.isabs(path):
                raise UsageError(f"{path} has to be absolute, such as /srv/data.")
            if not os.path.lexists(path):
                raise UsageError(f"There is no {path}.")
            if not is_utf8(path):
                raise UsageError(f"{path!a} is not UTF-8; name the folder that it is in.")
        return paths

    question = "Others, with a comma between" + (" (Enter for none)" if folders else "")
    all_paths = [*folders, *map(os.path.normpath, ask.ask(question, more))]
    # Of a link only the link would be backed up.
    return without_nested([os.path.realpath(path) for path in all_paths])


def _described(folder: str) -> str:
    from nightsafe.setup.folders import measure

    amount = measure(folder)
    least = "" if amount.is_whole else "at least "
    return printable(
        f"{folder}  {least}{show_count(amount.files, 'file')}, {show_size(amount.bytes)}"
    )
