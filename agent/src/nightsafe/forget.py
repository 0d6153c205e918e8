"""Forgetting snapshots. Which to keep is told by restic's rules, as a pure function.

Snapshots are put into groups, and the rules look at each group from the newest snapshot on. A
snapshot is kept when at least one rule wants it.
"""

import contextlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta, timezone

from nightsafe.errors import ObjectNotFoundError, UsageError
from nightsafe.locks import hold
from nightsafe.prune import require_permission
from nightsafe.repository import Repository
from nightsafe.snapshot import Snapshot
from nightsafe.storage import ObjectKind

UNLIMITED = -1
GROUPINGS = ("host", "paths", "tags")
_DURATION = re.compile(r"(-?\d+)([ymdh])")

TagList = tuple[str, ...]


@dataclass(frozen=True)
class Span:
    """A length of time in calendar units, such as `1y5m7d2h`."""

    years: int = 0
    months: int = 0
    days: int = 0
    hours: int = 0

    @classmethod
    def parse(cls, text: str) -> "Span":
        """UsageError when the text is not a length of time."""
        found = _DURATION.findall(text)
        if not found or "".join(number + unit for number, unit in found) != text:
            raise UsageError(f"{text!a} is not a length of time; write it like 1y5m7d2h.")
        parts = {unit: int(number) for number, unit in found}
        if any(number < 0 for number in parts.values()):
            raise UsageError(f"{text!a} is negative; a length of time must not be.")
        return cls(*(parts.get(unit, 0) for unit in "ymdh"))

    def before(self, moment: datetime) -> datetime:
        """The moment this long before; days beyond a month's end run on into the next."""
        months = moment.year * 12 + moment.month - 1 - self.years * 12 - self.months
        year, month = divmod(months, 12)
        if year < 1:
            return datetime.min.replace(tzinfo=moment.tzinfo)
        first = moment.replace(year=year, month=month + 1, day=1)
        days = moment.day - 1 - self.days
        try:
            return first + timedelta(days=days, hours=-self.hours)
        except OverflowError:
            return datetime.min.replace(tzinfo=moment.tzinfo)


@dataclass(frozen=True)
class Policy:
    """How many snapshots to keep of each kind; -1 is all, 0 is no rule."""

    last: int = 0
    hourly: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0
    within: Span = Span()
    within_hourly: Span = Span()
    within_daily: Span = Span()
    within_weekly: Span = Span()
    within_monthly: Span = Span()
    within_yearly: Span = Span()
    tags: tuple[TagList, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether it has no rule at all."""
        return self == Policy()

    def check(self) -> None:
        """UsageError for numbers that mean nothing."""
        if any(getattr(self, rule.name) < UNLIMITED for rule in fields(self)[:6]):
            raise UsageError("A number of snapshots to keep must be 0 or more, or `unlimited`.")


@dataclass(frozen=True)
class Filter:
    """Which snapshots are considered at all: hosts and tag lists any of, paths all of them."""

    hosts: tuple[str, ...] = ()
    tags: tuple[TagList, ...] = ()
    paths: tuple[str, ...] = ()

    def takes(self, snapshot: Snapshot) -> bool:
        """Whether a snapshot is considered."""
        return (
            (not self.hosts or snapshot.hostname in self.hosts)
            and (not self.tags or any(has_tags(snapshot, tags) for tags in self.tags))
            and set(self.paths) <= set(snapshot.paths)
        )


@dataclass(frozen=True)
class Group:
    """Snapshots that the rules look at together; a field that is not grouped by is None."""

    host: str | None
    paths: tuple[str, ...] | None
    tags: tuple[str, ...] | None


@dataclass
class Verdict:
    """What becomes of a group, newest first. `reasons` tells for each kept id why."""

    group: Group
    keep: list[Snapshot] = field(default_factory=list)
    remove: list[Snapshot] = field(default_factory=list)
    reasons: dict[str, list[str]] = field(default_factory=dict)


def has_tags(snapshot: Snapshot, tags: TagList) -> bool:
    """Whether a snapshot has all the tags; the empty list or tag means one without any."""
    if tags in ((), ("",)):
        return not snapshot.tags
    return set(tags) <= set(snapshot.tags)


def parse_grouping(text: str) -> tuple[str, ...]:
    """What to group by, from `host,paths,tags`; UsageError for other words."""
    names = tuple(filter(None, text.split(",")))
    names = tuple({"path": "paths", "tag": "tags", "hosts": "host"}.get(n, n) for n in names)
    if unknown := [name for name in names if name not in GROUPINGS]:
        raise UsageError(f"Snapshots cannot be grouped by {unknown[0]!a}; use host, paths, tags.")
    return names


def judge(
    snapshots: Iterable[Snapshot], policy: Policy, *, by: Sequence[str], now: int
) -> list[Verdict]:
    """Apply the rules to every group; `now` is in nanoseconds since 1970."""
    groups: dict[Group, list[Snapshot]] = {}
    for snapshot in snapshots:
        groups.setdefault(_group_of(snapshot, by), []).append(snapshot)
    return [_judge_group(group, found, policy, now) for group, found in groups.items()]


def _group_of(snapshot: Snapshot, by: Sequence[str]) -> Group:
    return Group(
        snapshot.hostname if "host" in by else None,
        tuple(sorted(snapshot.paths)) if "paths" in by else None,
        tuple(sorted(snapshot.tags)) if "tags" in by else None,
    )


@dataclass
class _Bucket:
    """One rule: keeps the first snapshot of each period, as long as some are `left`."""

    name: str
    period: Callable[[datetime, int], object]
    left: int
    since: datetime | None = None
    seen: object = None

    def wants(self, moment: datetime, number: int) -> str:
        """The reason to keep the snapshot, or nothing."""
        if not self.left or (self.since is not None and moment <= self.since):
            return ""
        period = self.period(moment, number)
        if period == self.seen:
            return ""
        self.seen = period
        self.left -= self.left > 0
        return self.name


_PERIODS: dict[str, Callable[[datetime, int], object]] = {
    "last": lambda moment, number: number,
    "hourly": lambda moment, number: (moment.date(), moment.hour),
    "daily": lambda moment, number: moment.date(),
    "weekly": lambda moment, number: moment.isocalendar()[:2],
    "monthly": lambda moment, number: (moment.year, moment.month),
    "yearly": lambda moment, number: moment.year,
}


def _judge_group(group: Group, found: list[Snapshot], policy: Policy, now: int) -> Verdict:
    verdict = Verdict(group)
    newest_first = sorted(found, key=lambda snapshot: snapshot.time, reverse=True)
    buckets = _buckets(policy, newest_first, now)
    for number, snapshot in enumerate(newest_first):
        moment = moment_of(snapshot)
        wanted = [bucket.wants(moment, number) for bucket in buckets]
        reasons = [f"has tags {list(t)}" for t in policy.tags if has_tags(snapshot, t)]
        reasons += filter(None, wanted)
        if reasons or policy.is_empty:
            verdict.keep.append(snapshot)
            verdict.reasons[snapshot.id] = reasons or ["no rule was given"]
        else:
            verdict.remove.append(snapshot)
    return verdict


def _buckets(policy: Policy, newest_first: list[Snapshot], now: int) -> list[_Bucket]:
    """The rules that are in force. Lengths of time count from the newest that is not in future."""
    past = [snapshot for snapshot in newest_first if snapshot.time < now]
    latest = moment_of(past[0]) if past else datetime.min.replace(tzinfo=UTC)
    buckets = [
        _Bucket(f"{name} snapshot", period, getattr(policy, name))
        for name, period in _PERIODS.items()
    ]
    for name, period in _PERIODS.items():
        span: Span = policy.within if name == "last" else getattr(policy, f"within_{name}")
        if span != Span():
            title = "within" if name == "last" else f"{name} within"
            since = span.before(latest) if past else latest
            buckets.append(_Bucket(title, period, UNLIMITED, since=since))
    return buckets


def moment_of(snapshot: Snapshot) -> datetime:
    """A snapshot's time in the zone it was taken in, to the microsecond."""
    zone = timezone(timedelta(seconds=snapshot.zone))
    return datetime.fromtimestamp(0, UTC).astimezone(zone) + timedelta(
        microseconds=snapshot.time // 1000
    )


def remove_snapshots(repository: Repository, snapshots: Iterable[Snapshot]) -> int:
    """Remove snapshots from the repository, alone in it; returns how many were there.

    What only they needed stays until a prune. LockedError, AccessRefusedError where the
    credential may not remove anything.
    """
    count = 0
    with hold(repository, exclusive=True) as lock:
        require_permission(repository)
        for snapshot in snapshots:
            if lock is not None:
                lock.ensure_held()
            with contextlib.suppress(ObjectNotFoundError):
                repository.storage.remove(ObjectKind.SNAPSHOT, snapshot.id)
                count += 1
    return count
