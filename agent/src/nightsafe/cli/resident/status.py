"""`nightsafe status`: what the agent and its jobs are doing, and what became of their last runs."""

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nightsafe.amounts import show_count
from nightsafe.cli.format import printable
from nightsafe.cli.options import Verbs, add_verb
from nightsafe.cli.output import Output

if TYPE_CHECKING:
    from datetime import datetime

    from nightsafe.assurance.record import DrillRecord
    from nightsafe.recovery.record import KitRecord
    from nightsafe.resident.overview import Overview
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
        '"links": paths, '
        '"error", "waits"}], '
        '"coverage": {"uncovered": folders of this user that no job backs up}, '
        '"drill": null or {"at", "passed", "passed_at", "snapshot_id", "files", "bytes", '
        '"failed"}, "kit": null or {"vault", "made_at", "tried_at"}}; '
        '"state" is never, running, complete, incomplete, failed, interrupted or invalid',
    )


def run(args: argparse.Namespace, output: Output) -> int:
    """Show the status."""
    from nightsafe.jobs.pause import FOR_EVER
    from nightsafe.resident.overview import load_overview

    overview = load_overview()
    for line in _lines(overview):
        output.line(printable(line))
    paused = overview.paused
    output.result(
        {
            "agent": "running" if overview.is_running else "stopped",
            "paused_until": "resume" if paused == FOR_EVER else _shown(paused),
            "jobs": [_fields(one) for one in overview.jobs],
            "coverage": {"uncovered": overview.uncovered},
            "drill": None if overview.drill is None else overview.drill.fields(),
            "kit": None if overview.kit is None else overview.kit.fields(),
        }
    )
    return 0


def _lines(overview: "Overview") -> Iterator[str]:
    if not overview.jobs:
        yield "There is no job yet: `nightsafe setup` makes one, or `nightsafe jobs add`."
    elif not overview.is_running:
        yield "The agent is not running, so no job runs by itself: nightsafe service run"
    if overview.paused is not None:
        yield _of_pause(overview.paused)
    for one in overview.jobs:
        yield f"{one.name}: {_told(one)}"
    if overview.uncovered and overview.jobs:
        yield f"No job backs up: {', '.join(overview.uncovered)}"
    if overview.drill is not None:
        yield _proven(overview.drill)
    elif overview.jobs:
        yield "No drill has shown yet that files come back: nightsafe drill"
    if overview.jobs or overview.kit is not None:
        yield _of_kit(overview.kit, overview.now)


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
    if one.links:
        said.append(f"ONLY LINKS, not what they lead to: {', '.join(one.links)}.")
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
        "links": one.links,
        "error": one.error,
        "waits": one.waits,
    }


def _shown(moment: "datetime | None") -> str | None:
    return None if moment is None else moment.isoformat()


def _local(moment: "datetime | None") -> str:
    return "" if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M}"
