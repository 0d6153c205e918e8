"""Celery's shells around the modules that do the work. Arguments: none, so none can leak.

What may take long has a queue of its own (`CELERY_TASK_ROUTES`) and workers of its own, so that
heartbeat, watch and copies never wait behind it.
"""

from celery import shared_task
from django.conf import settings

from backup_service import clock
from storage import (
    canary,
    emptying,
    health,
    leases,
    locks,
    losses,
    nudge,
    refill,
    replicate,
    scrub,
    strike,
    sweeping,
    watch,
)
from storage import expire as expiry
from storage.models import Heartbeat

TURN = 8.0  # seconds
SCRUB_TURN = 40.0


@shared_task
def heartbeat() -> None:
    """Show that beat, broker and a worker are alive."""
    Heartbeat.beat("worker")


@shared_task
def replicate_due() -> None:
    """Make the copies that are due, for a while; then let others have their turn."""
    replicate.replicate_due(seconds=TURN)
    if leases.due().exists():
        nudge.replication()


@shared_task
def tend_regions() -> None:
    """Put lacking copies on the list, empty what is drained, strike off what has burnt."""
    strike.strike_due(seconds=TURN / 2)
    emptying.empty_due(seconds=TURN / 2)
    refill.refill_due(seconds=TURN / 2)


@shared_task
def look_at_regions() -> None:
    """See which regions are away, and which are full."""
    health.look()


@shared_task
def scrub_due() -> None:
    """Read back new copies soon, and old ones in their turn."""
    scrub.scrub_turn(seconds=SCRUB_TURN)


@shared_task
def sweep() -> None:
    """Give up late uploads, remove doomed bytes and day-old locks, for a while."""
    locks.drop_stale(clock.now())
    sweeping.sweep_staging()
    swept = sweeping.sweep(seconds=TURN)
    Heartbeat.beat("sweep")
    if swept and sweeping.due(clock.now()).exists():
        nudge.again(nudge.SWEEP)


@shared_task
def expire() -> None:
    """Purge what has outlived its grace, for a while."""
    if expiry.purge(seconds=TURN) and expiry.due_for_purge(clock.now() - settings.GRACE).exists():
        nudge.again(nudge.EXPIRE)


@shared_task
def send_canary() -> None:
    """Store and read back something small in every region."""
    canary.send()


@shared_task
def tell_losses() -> None:
    """Tell people at once of objects without a good copy."""
    losses.tell()


@shared_task
def watch_all() -> None:
    """Look for alarms, tell of new ones, and of losses that could not be told of."""
    losses.tell()
    watch.watch()
