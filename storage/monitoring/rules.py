"""Alarm rules: pure functions of figures.

They fire on silence as much as on errors: what was not heard of, read back or tried in its time is
an alarm, whatever the reason. Ages are in seconds; those of things that never were count from the
moment they could first have been.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
WORKER_SILENCE = 5 * MINUTE
COPIES_LATE = 15 * MINUTE
UNREAD_LATE = 1 * HOUR
SCRUB_SILENCE = 1 * HOUR
SWEEP_SILENCE = 1 * HOUR
SCRUB_LATE = 30 * DAY
CANARY_LATE = 3 * HOUR
AWAY_LONG = 10 * MINUTE
NOTICES_LATE = 1 * HOUR
EVENTS_LATE = 1 * HOUR
PROBE_FAILING = 1 * DAY  # so that two daily probes have failed


@dataclass(frozen=True)
class RegionFigures:
    """A region's figures, 0 where there is nothing to report. `away`: for how long it has been."""

    alias: str
    takes: bool = True
    waiting: int = 0
    waiting_bytes: int = 0
    waiting_age: float = 0.0
    parked: int = 0
    unread_age: float = 0.0  # of the oldest replica that was never read back
    scrub_age: float = 0.0  # since the oldest read-back
    canary_age: float = 0.0  # since a canary last came back well
    canary_error: str = ""  # of the newest, if it did not
    away: float = 0.0
    is_full: bool = False
    strange: int = 0  # keys that no row knows, at the last survey


@dataclass(frozen=True)
class Backlog:
    """A list of what is to be done. `late`: by how much the first of it is overdue."""

    waiting: int = 0
    late: float = 0.0
    given_up: int = 0


@dataclass(frozen=True)
class Figures:
    """The whole service's figures. `mail_error` is empty while mail can be sent."""

    regions: list[RegionFigures] = field(default_factory=list)
    lost: int = 0
    lost_vaults: int = 0
    worker_age: float = 0.0
    scrub_silence: float = 0.0
    sweep_silence: float = 0.0
    doubt: str = ""  # about catalogue or clock, which holds up everything that destroys
    is_capped: bool = False
    mail_error: str = ""
    has_recipients: bool = True
    promised: int = 0  # replicas, to whoever was promised most
    reachable: int = 0  # replicas that objects can have: one in each failure domain
    given_up_closings: int = 0  # closed accounts of which a step was given up
    probe_failing: float = 0.0  # for how long the mail server has refused the daily probe
    probe_error: str = ""
    mails: Backlog = field(default_factory=Backlog)
    events: Backlog = field(default_factory=Backlog)  # of Stripe's
    miscounted: int = 0  # vaults whose counts differed from their rows, in the newest recount


@dataclass(frozen=True)
class AlarmState:
    """An alarm: what it is called, what is wrong, and what to do."""

    key: str
    text: str
    advice: str


def judge(figures: Figures) -> list[AlarmState]:
    """Return everything that is wrong, the worst first."""
    return [
        *_losses(figures),
        *_promises(figures),
        *_upkeep(figures),
        *_silences(figures),
        *(found for region in figures.regions for found in _region(region)),
        *_telling(figures),
        *_backlogs(figures),
    ]


def _losses(figures: Figures) -> Iterator[AlarmState]:
    if figures.lost:
        yield AlarmState(
            "lost",
            f"{_many(figures.lost, 'object')} of {_many(figures.lost_vaults, 'vault')} "
            "without a good replica.",
            "Their owners were told to run `nightsafe backup`, which sends again what is there, "
            "and to take the rest off the list. Run `manage.py repair`: it looks for bytes that "
            "came back, quarantined ones included.",
        )


def _promises(figures: Figures) -> Iterator[AlarmState]:
    if figures.reachable < figures.promised:
        yield AlarmState(
            "places",
            f"Plans in use promise {_many(figures.promised, 'replica')} of everything, and "
            f"there {'is' if figures.reachable == 1 else 'are'} "
            f"{_many(figures.reachable, 'failure domain')} for them.",
            "Add a region that fails by itself (`manage.py region add`): what is lacking is then "
            "made by itself. `manage.py region status` counts what lacks replicas.",
        )


def _upkeep(figures: Figures) -> Iterator[AlarmState]:
    if figures.doubt:
        yield AlarmState(
            "doubt",
            f"Nothing is purged or swept: {figures.doubt}",
            "See “When the database was restored” in docs/operations.md. `manage.py reconcile` "
            "compares rows and regions; once it came to its end, purge and sweep go on.",
        )
    if figures.is_capped:
        yield AlarmState(
            "capped",
            "The purge has come to its bound for one day.",
            "It goes on by itself. If so much was not meant to go, see in the audit log who "
            "removed it, and stop beat; if it was, NIGHTSAFE_PURGE_SHARE raises the bound.",
        )
    if figures.given_up_closings:
        yield AlarmState(
            "closings",
            f"{_many(figures.given_up_closings, 'closed account')} could not be erased in many "
            "tries.",
            "See the log. Once the cause is mended, `manage.py account erase` has the step tried "
            "again; `manage.py account closing` says how far an account is.",
        )
    if figures.miscounted:
        yield AlarmState(
            "counts",
            f"The figures of {_many(figures.miscounted, 'vault')} differed from the rows that "
            "they count.",
            "They were set right, and no data is concerned: but something changes rows and does "
            "not count it. The log of the upkeep workers names the vaults; please report it. "
            "`manage.py recount` compares again; the alarm ends with a day's recount that finds "
            "nothing.",
        )


def _silences(figures: Figures) -> Iterator[AlarmState]:
    if figures.worker_age > WORKER_SILENCE:
        yield AlarmState(
            "worker",
            f"No worker has been heard of for {_time(figures.worker_age)}.",
            "See whether worker, beat and broker run, and what they logged. Uploads and restores "
            "go on; replicas wait.",
        )
    if figures.scrub_silence > SCRUB_SILENCE:
        yield AlarmState(
            "scrub",
            f"Nothing has been read back for {_time(figures.scrub_silence)}.",
            "See whether beat runs and the workers keep up; `manage.py scrub` does it now.",
        )
    if figures.sweep_silence > SWEEP_SILENCE:
        yield AlarmState(
            "sweep",
            f"Nothing has been swept for {_time(figures.sweep_silence)}.",
            "See whether a worker serves the queue nightsafe-upkeep, and what it logged. What was "
            "removed lies in the regions, and counts, until it is swept.",
        )


def _region(region: RegionFigures) -> Iterator[AlarmState]:
    at = region.alias
    if region.away > AWAY_LONG:
        yield AlarmState(
            f"away:{at}",
            f"Region {at} has been away for {_time(region.away)}.",
            "Its replicas are still there as far as anybody knows. Bring the store back, or follow "
            "“When a region burns” in docs/operations.md.",
        )
    if region.is_full:
        yield AlarmState(
            f"full:{at}",
            f"Region {at} has no room left.",
            "Add room or a region; uploads go to the others meanwhile.",
        )
    if region.strange:
        yield AlarmState(
            f"strange:{at}",
            f"Region {at} holds bytes of {_many(region.strange, 'upload')} that no row knows.",
            "`manage.py reconcile` names them. They are left alone: if the database was restored, "
            "see “When the database was restored” in docs/operations.md.",
        )
    if region.takes and region.waiting_age > COPIES_LATE:
        yield AlarmState(
            f"copies:{at}",
            f"{_many(region.waiting, 'replica')} for region {at} "
            f"({region.waiting_bytes / 1e9:.1f} GB) are late, the oldest by "
            f"{_time(region.waiting_age)}.",
            "See `manage.py region status` and the workers' logs; add workers if they are busy.",
        )
    if region.parked:
        yield AlarmState(
            f"parked:{at}",
            f"{_many(region.parked, 'replica')} to region {at} given up after many tries.",
            "See their last error on the staff pages; unpark them there, or `manage.py repair`.",
        )
    if region.unread_age > UNREAD_LATE:
        yield AlarmState(
            f"unread:{at}",
            f"New replicas in region {at} have not been read back for {_time(region.unread_age)}.",
            "See whether NIGHTSAFE_SCRUB_RATES is too low for what comes in.",
        )
    if region.scrub_age > SCRUB_LATE:
        yield AlarmState(
            f"scrub:{at}",
            f"A replica in region {at} was last read back {_time(region.scrub_age)} ago.",
            "Raise NIGHTSAFE_SCRUB_RATES, or run `manage.py scrub`.",
        )
    if region.takes:
        yield from _canary(region)


def _canary(region: RegionFigures) -> Iterator[AlarmState]:
    if region.canary_error:
        yield AlarmState(
            f"canary:{region.alias}",
            f"The canary did not come back from region {region.alias}: {region.canary_error}",
            "Backups to and from this region are likely to fail in the same way.",
        )
    elif region.canary_age > CANARY_LATE:
        yield AlarmState(
            f"canary:{region.alias}",
            f"No canary has come back from region {region.alias} for {_time(region.canary_age)}.",
            "See whether beat and the workers run; `manage.py canary` sends one now.",
        )


def _telling(figures: Figures) -> Iterator[AlarmState]:
    if figures.mail_error:
        yield AlarmState(
            "mail",
            f"Mail cannot be sent: {figures.mail_error}",
            "See EMAIL_URL. Nobody is told of anything by mail until this works.",
        )
    if figures.probe_failing > PROBE_FAILING:
        yield AlarmState(
            "mail-probe",
            f"The mail server has refused the daily probe for {_time(figures.probe_failing)}: "
            f"{figures.probe_error}",
            "See EMAIL_URL, and whether the server lets this one in. Alarms by mail may not come.",
        )
    if not figures.has_recipients:
        yield AlarmState(
            "nobody",
            "There is nobody to send alarms to.",
            "Name somebody in NIGHTSAFE_ADMINS.",
        )


def _backlogs(figures: Figures) -> Iterator[AlarmState]:
    if figures.mails.late > NOTICES_LATE:
        yield AlarmState(
            "notices",
            f"{_many(figures.mails.waiting, 'mail')} to customers wait, the first of them due "
            f"{_time(figures.mails.late)} ago.",
            "See whether a worker serves the queue nightsafe-outside, and whether the mail server "
            "answers.",
        )
    if figures.events.late > EVENTS_LATE:
        yield AlarmState(
            "payment-events",
            f"{_many(figures.events.waiting, 'event')} of Stripe's wait, the first of them due "
            f"{_time(figures.events.late)} ago.",
            "See whether a worker serves the queue nightsafe-outside, and whether Stripe answers.",
        )
    if figures.events.given_up:
        yield AlarmState(
            "payment-events-parked",
            f"{_many(figures.events.given_up, 'event')} of Stripe's given up after many tries.",
            "Their rows on the staff pages say why; `manage.py billing replay` tries them again.",
        )


def _time(seconds: float) -> str:
    for size, name in ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name}s"
    return f"{seconds:.0f} seconds"


def _many(count: int, one: str) -> str:
    return f"{count} {one if count == 1 else one + 's'}"
