"""Whether the computer is in a state in which a job may begin, and if not, why."""

import os
from collections.abc import Callable

from nightsafe.jobs.job import Job
from nightsafe.resident.power import Power, read_power


def obstacle(
    job: Job,
    *,
    power: Callable[[], Power] = read_power,
    load: Callable[[], float] | None = None,
) -> str:
    """Return in a few words what a job waits for; empty if it may begin.

    What a computer does not tell is no obstacle: one without a battery is on mains.
    """
    if job.on_mains or job.battery_above:
        now = power()
        if job.on_mains and now.on_mains is False:
            return "the computer runs on its battery"
        is_low = now.battery is not None and now.battery <= job.battery_above
        if job.battery_above and is_low and not now.on_mains:
            return f"its battery is at {now.battery} %, and has to be above {job.battery_above} %"
    if job.load_below:
        busy = (load or _load)()
        if busy >= job.load_below:
            return f"the load is {busy:.1f}, and has to be below {job.load_below:g}"
    return ""


def _load() -> float:
    """Return how many processes ran or waited to, on average over a minute."""
    try:
        return os.getloadavg()[0]
    except (OSError, AttributeError):  # Windows has no such figure
        return 0.0
