"""`nightsafe status`: what the agent and its jobs are doing, and what became of their last runs."""

import argparse
from typing import TYPE_CHECKING, Any

from nightsafe.amounts import show_count
from nightsafe.cli.format import printable
from nightsafe.cli.options import Verbs, add_verb
from nightsafe.cli.output import Output

if TYPE_CHECKING:
    from datetime import datetime

    from nightsafe.assurance.record import DrillRecord
    from nightsafe.recovery.record import KitRecord
    from nightsafe.resident.status import JobStatus

_WELL = ("complete", "never", "running")


def add_parser(verbs: Verbs) -> None:
    """Declare the subcommand and its options."""
    add_verb(
        verbs,
        "status",
        run,
        help="show what the jobs are doing, when they ran last and when they run next",
        json='one object {"agent": "running" or "stopped", "paused_until": null, "resume" where it '
        'has no end, or a moment, "jobs": [{"name", "state", "last", '
        '"finished", "saved", "snapshot_id", "next", "missed", "unread", "unread_paths", '
        '"files", "files_before": where more than half are gone, "missing": paths, '
        '"error", "waits"}], '
        '"coverage": {"uncovered": folders of this user that no job backs up}, '
        '"drill": null or {"at", "passed", "passed_at", "snapshot_id", "files", "bytes", '
        '"failed"}, "kit": null or {"vault", "made_at", "tried_at"}}; '
        '"state" is never, running, complete, incomplete, failed, interrupted or invalid',
    )


def run(args: argparse.Namespace, output: Output) -> int:
    """Show the status."""
    from nightsafe.assurance.record import load_record
    from nightsafe.jobs import clock
    from nightsafe.jobs.job_state import JobStates
    from nightsafe.jobs.jobs_file import jobs_path, load_jobs
    from nightsafe.jobs.pause import FOR_EVER, paused_until
    from nightsafe.recovery.record import load_kit_record
    from nightsafe.resident.coverage import uncovered_folders
    from nightsafe.resident.status import is_agent_running, statuses
    from nightsafe.setup.folders import suggested_folders

    states = JobStates()
    jobs = load_jobs(jobs_path())
    found = statuses(jobs, states, clock.now())
    runs = is_agent_running(states)
    if not found:
        output.line("There is no job yet; `nightsafe jobs add` makes one.")
    elif not runs:
        output.line("The agent is not running, so no job runs by itself: nightsafe service run")
    paused = paused_until(clock.now(), states.folder)
    if paused is not None:
        output.line(_of_pause(paused))
    for one in found:
        output.line(printable(f"{one.name}: {_told(one)}"))
    uncovered = uncovered_folders(jobs.sound.values(), suggested_folders()) if found else []
    if uncovered:
        output.line(printable(f"No job backs up: {', '.join(uncovered)}"))
    proven = load_record()
    if proven is not None:
        output.line(_proven(proven))
    elif found:
        output.line("No drill has shown yet that files come back: nightsafe drill")
    kit = load_kit_record()
    if found or kit is not None:
        output.line(_of_kit(kit, clock.now()))
    output.result(
        {
            "agent": "running" if runs else "stopped",
            "paused_until": "resume" if paused == FOR_EVER else _shown(paused),
            "jobs": [_fields(one) for one in found],
            "coverage": {"uncovered": uncovered},
            "drill": None if proven is None else proven.fields(),
            "kit": None if kit is None else kit.fields(),
        }
    )
    return 0


def _of_pause(until: "datetime") -> str:
    from nightsafe.jobs.pause import FOR_EVER

    end = "" if until == FOR_EVER else f"until {_local(until)}, or "
    return f"The agent is PAUSED {end}until: nightsafe resume"


def _of_kit(record: "KitRecord | None", now: "datetime") -> str:
    if record is None:
        return (
            "No recovery kit is known here; without one a lost passphrase is the end of the "
            "backup: nightsafe kit write FILE"
        )
    if record.tried_at is None:
        return "The recovery kit has not been tried yet; use the paper: nightsafe kit test"
    tried = f"The recovery kit opened the vault {_local(record.tried_at)}"
    if record.is_asked_for(now):
        return f"{tried}. Look whether it is still where you keep it: nightsafe kit test"
    return f"{tried}."


def _proven(record: "DrillRecord") -> str:
    files = show_count(record.files, "file")
    if record.passed:
        return f"Proven restorable {_local(record.at)}, by a drill of {files}."
    before = (
        f"the last one passed {_local(record.passed_at)}" if record.passed_at else "none passed"
    )
    return f"The drill of {_local(record.at)} has FAILED; {before}."


def _told(one: "JobStatus") -> str:
    from nightsafe.resident.coverage import shrinkage

    last = f"last run {_local(one.state.started)}" if one.state.started else "it has not run yet"
    after = f"next {_local(one.next)}" if one.next else "it runs when asked"
    if one.word == "invalid":
        return f"INVALID, it does not run: {one.error}"
    parts = [one.word if one.word in _WELL else one.word.upper(), last, after]
    if one.missed:
        parts.append(f"{show_count(one.missed, 'time')} missed since")
    if one.waits:
        parts.append(f"it waits: {one.waits}")
    if one.state.unread and one.word == "incomplete":
        parts.append(f"{show_count(one.state.unread, 'path')} could not be read")
    said = ["; ".join(parts) + ".", one.error, shrinkage(one.state)]
    if one.missing:
        said.append(f"NOT THERE NOW: {', '.join(one.missing)}.")
    return " ".join(filter(None, said))


def _fields(one: "JobStatus") -> dict[str, Any]:
    state = one.state
    return {
        "name": one.name,
        "state": one.word,
        "last": _shown(state.started),
        "finished": _shown(state.finished),
        "saved": _shown(state.saved),
        "snapshot_id": state.snapshot,
        "next": _shown(one.next),
        "missed": one.missed,
        "unread": state.unread,
        "unread_paths": state.unread_paths,
        "files": state.files,
        "files_before": state.files_before,
        "missing": one.missing,
        "error": one.error,
        "waits": one.waits,
    }


def _shown(moment: "datetime | None") -> str | None:
    return None if moment is None else moment.isoformat()


def _local(moment: "datetime | None") -> str:
    return "" if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M}"
