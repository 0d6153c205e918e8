"""When people are told: pure functions of moments and amounts."""

from datetime import datetime, timedelta

REMIND = timedelta(days=7)
LEVELS = (80, 95, 100)  # per cent of a plan
CALM = 5  # per cent by which it has to fall below a level before that is told anew
SPANS = {"weekly": timedelta(days=7), "monthly": timedelta(days=30)}
GIVE_UP = timedelta(days=365)  # after which nobody is reminded any more


def is_reminder_due(*, since: datetime, told_at: datetime | None, now: datetime) -> bool:
    """Return whether people are to be told now that something is late since `since`.

    At once, then every week until it is mended, for a year.
    """
    if now < since or now - since > GIVE_UP:
        return False
    return told_at is None or told_at < since or now - told_at >= REMIND


def level_of(charged: int, quota: int) -> int:
    """Return the highest of LEVELS that is reached, 0 for none. Both in bytes."""
    if quota <= 0:
        return LEVELS[-1] if charged > 0 else 0
    return max((level for level in LEVELS if 100 * charged >= level * quota), default=0)


def kept_level(told: int, charged: int, quota: int) -> int:
    """Return the level that counts as told: it falls only once the plan is clearly emptier."""
    return min(told, level_of(charged * 100 // (100 - CALM), quota)) if quota > 0 else told
