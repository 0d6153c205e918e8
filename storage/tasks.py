"""Celery tasks: thin shells without arguments around the modules that do the work.

What may take long has a queue of its own (`CELERY_TASK_ROUTES`) and workers of its own, so that
heartbeat, watch and copies never wait behind it.
"""

import logging

from celery import shared_task

from accounts.audit import SERVICE
from backup_service import clock
from storage import wakeups
from storage.database import single_runner
from storage.deletion import guard, purge
from storage.deletion import sweep as sweeping
from storage.deletion.guard import InDoubtError
from storage.integrity import future_times, orphans, reconcile, scrub
from storage.models import Heartbeat
from storage.monitoring import alarms, canary, losses
from storage.regions import drain, health, write_off
from storage.replication import backfill, leases, replicator
from storage.vaults import locks

log = logging.getLogger(__name__)
TURN = 8.0  # seconds
SCRUB_TURN = 40.0


@shared_task
def heartbeat() -> None:
    """Show that beat, broker and a worker are alive, and see time pass."""
    if guard.see_clock():
        wakeups.again(wakeups.RECONCILE)
    Heartbeat.beat("worker")


@shared_task
def replicate_due() -> None:
    """Make the copies that are due, for a while; then let others have their turn."""
    replicator.replicate_due(seconds=TURN)
    if leases.due().exists():
        wakeups.replication()


@shared_task
def tend_regions() -> None:
    """Put lacking copies on the list, empty what is drained, strike off what has burnt."""
    write_off.write_off_due(seconds=TURN / 2)
    backfill.refill_due(seconds=TURN / 2)
    if drain.is_due() and _is_trusted():
        drain.empty_due(seconds=TURN / 2)


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
    Heartbeat.beat("sweep")
    if not _is_trusted():
        return
    locks.drop_stale(clock.now())
    sweeping.sweep_staging()
    swept = sweeping.sweep(seconds=TURN)
    if swept and sweeping.due(clock.now()).exists():
        wakeups.again(wakeups.SWEEP)


@shared_task
def expire() -> None:
    """Purge what has outlived its grace, for a while."""
    if not _is_trusted(everywhere=True):
        return
    if purge.purge(seconds=TURN) and purge.is_due():
        wakeups.again(wakeups.EXPIRE)


@shared_task
def survey_regions() -> None:
    """Find what has arrived after its upload was swept, for a while."""
    if not _is_trusted():
        return
    orphans.survey(seconds=TURN)
    if orphans.has_begun():
        wakeups.again(wakeups.SURVEY)


@shared_task
def keep_marks() -> None:
    """Write into every region how far the catalogue is."""
    guard.keep_marks()


@shared_task
def reconcile_after_jump() -> None:
    """Compare rows and regions after a jump of the clock, so that the work may go on.

    After the restoration of an older database it is for the operator to do so.
    """
    with single_runner.alone("reconcile") as hold:  # asked for again before a long one has ended
        if hold and guard.is_of_clock_alone():
            reconcile.reconcile(SERVICE, on_step=hold.renew)


def _is_trusted(*, everywhere: bool = False) -> bool:
    """Whether something may be destroyed now."""
    try:
        guard.require_trust(everywhere=everywhere)
    except InDoubtError as error:
        log.warning("nothing is destroyed now: %s", error)
        return False
    return True


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
    future_times.future_stamps(clock.database_now())
    losses.tell()
    alarms.refresh()
