"""Applies a retention policy to snapshots, by restic's rules.

Snapshots are put into groups, and the rules look at each group from the newest snapshot on. A
snapshot is kept when at least one rule wants it. A rule that is not used up when it comes to the
oldest snapshot keeps that one too, so that what is kept reaches back as far as it can.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from nightsafe.errors import RefusedError
from nightsafe.maintenance.calendar_span import NO_SPAN, Span, civil
from nightsafe.repofile.snapshot import Snapshot
from nightsafe.repofile.tags import TagList, has_tags
from nightsafe.repository.snapshot_groups import Group, grouped, newest_first

UNLIMITED = -1
_SECOND = 1_000_000_000
_DAY, _HOUR = 86_400, 3600
_MONDAY = 3  # the first of 1970 was a Thursday


@dataclass(frozen=True)
class Policy:
    """How many snapshots to keep of each kind; -1 is all, 0 is no rule."""

    last: int = 0
    hourly: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0
    within: Span = NO_SPAN
    within_hourly: Span = NO_SPAN
    within_daily: Span = NO_SPAN
    within_weekly: Span = NO_SPAN
    within_monthly: Span = NO_SPAN
    within_yearly: Span = NO_SPAN
    tags: tuple[TagList, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether it has no rule at all."""
        return self == Policy()


@dataclass
class Retention:
    """What becomes of a group, newest first. `reasons` tells for each kept id why."""

    group: Group
    keep: list[Snapshot] = field(default_factory=list)
    remove: list[Snapshot] = field(default_factory=list)
    reasons: dict[str, list[str]] = field(default_factory=dict)


def apply_policy(
    snapshots: Iterable[Snapshot], policy: Policy, *, by: Sequence[str], now: int
) -> list[Retention]:
    """Apply the rules to every group; `now` is in nanoseconds since 1970.

    RefusedError where rules would leave nothing of a group, as with a tag that is misspelt.
    """
    decisions = [
        _apply_to_group(group, newest_first(found), policy, now)
        for group, found in grouped(snapshots, by).items()
    ]
    if emptied := [decision for decision in decisions if not decision.keep]:
        raise RefusedError(
            f"The rules would keep nothing of the group {str(emptied[0].group)!a}, so nothing was "
            "forgotten at all; is a tag misspelt? Snapshots that are to go are named by their ids: "
            "`nightsafe forget ID`."
        )
    return decisions


@dataclass
class _Rule:
    """Keeps the first snapshot of each period, as long as some are `left`.

    `since`: only of those after this moment, in nanoseconds since 1970.
    """

    reason: str
    period: Callable[[int, int], int]
    left: int = UNLIMITED
    since: float = float("-inf")
    seen: int | None = None

    def wants(self, snapshot: Snapshot, number: int, *, is_oldest: bool) -> str:
        """The reason to keep the snapshot, or nothing."""
        if not self.left or snapshot.time <= self.since:
            return ""
        period = self.period(snapshot.time // _SECOND + snapshot.zone, number)
        if period == self.seen and not is_oldest:
            return ""
        reason = f"oldest {self.reason}" if period == self.seen else self.reason
        self.seen = period
        self.left -= self.left > 0
        return reason


def _month(second: int) -> int:
    day = civil(second // _DAY)
    return day.year * 12 + day.month


_PERIODS: dict[str, Callable[[int, int], int]] = {
    "last": lambda second, number: number,
    "hourly": lambda second, number: second // _HOUR,
    "daily": lambda second, number: second // _DAY,
    "weekly": lambda second, number: (second // _DAY + _MONDAY) // 7,
    "monthly": lambda second, number: _month(second),
    "yearly": lambda second, number: civil(second // _DAY).year,
}
"""Which period a snapshot falls into: by its own clock, in seconds since 1970, and its place."""


def _apply_to_group(group: Group, found: list[Snapshot], policy: Policy, now: int) -> Retention:
    decision = Retention(group)
    latest = next((one for one in found if one.time < now), None)
    rules = _rules(policy, latest)
    for number, snapshot in enumerate(found):
        reasons = [
            f"has tags [{', '.join(tags)}]" for tags in policy.tags if has_tags(snapshot.tags, tags)
        ]
        if policy.within != NO_SPAN and snapshot.time > _since(policy.within, latest):
            reasons.append(f"within {policy.within}")
        is_oldest = number == len(found) - 1
        wanted = [rule.wants(snapshot, number, is_oldest=is_oldest) for rule in rules]
        reasons += filter(None, wanted)
        if reasons or policy.is_empty:
            decision.keep.append(snapshot)
            decision.reasons[snapshot.id] = reasons or ["no rule was given"]
        else:
            decision.remove.append(snapshot)
    return decision


def _rules(policy: Policy, latest: Snapshot | None) -> list[_Rule]:
    """The rules that are in force."""
    rules = [
        _Rule(f"{name} snapshot", period, getattr(policy, name))
        for name, period in _PERIODS.items()
        if getattr(policy, name)
    ]
    for name, period in list(_PERIODS.items())[1:]:
        span: Span = getattr(policy, f"within_{name}")
        if span != NO_SPAN:
            reason = f"{name} within {span}"
            rules.append(_Rule(reason, period, since=_since(span, latest)))
    return rules


def _since(span: Span, latest: Snapshot | None) -> float:
    """Lengths of time count from the newest snapshot that is not of the future."""
    if latest is None:
        return float("-inf")
    return span.before(latest.time, zone=latest.zone)
