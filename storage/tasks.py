"""Celery tasks: thin functions without arguments around the modules that do the work.

What may take long has a queue of its own (`CELERY_TASK_ROUTES`) and workers of its own, so that
heartbeat, watch and copies never wait behind it.
"""

import logging

from celery import shared_task

from accounts.audit import SERVICE
from accounts.closing import reminders, work
from backup_service import clock
from storage import wakeups
from storage.counters import recount as counts
from storage.database import single_runner
from storage.deletion import guard, purge, whole_vaults
from storage.deletion import sweep as sweeping
from storage.deletion.guard import InDoubtError
from storage.device_authorization import grant
from storage.events import removals
from storage.integrity import future_times, orphans, reconcile, scrub
from storage.leaving import steps, unused
from storage.models import Heartbeat
from storage.monitoring import alarms, canary, losses, mail_probe
from storage.notices import late_backups, plan_room, reports
from storage.regions import drain, health, write_off
from storage.replication import backfill, leases, replicator
from storage.rewind import worker as undeletes
from storage.vault_status import samples
from storage.vaults import credential_changes, locks

log = logging.getLogger(__name__)
RUN_SECONDS = 8.0  # seconds
SCRUB_SECONDS = 40.0


@shared_task
def heartbeat() -> None:
    """Record that beat, broker and a worker are alive, and observe the time."""
    if guard.check_clock():
        wakeups.run_again(wakeups.RECONCILE)
    Heartbeat.beat("worker")


@shared_task
def replicate_due() -> None:
    """Make replicas that are due, for a bounded time."""
    replicator.replicate_due(seconds=RUN_SECONDS)
    if leases.due().exists():
        wakeups.replication()


@shared_task
def tend_regions() -> None:
    """Write off destroyed regions, backfill, and drain regions, for a bounded time."""
    write_off.write_off_due(seconds=RUN_SECONDS / 2)
    backfill.backfill_due(seconds=RUN_SECONDS / 2)
    if drain.is_due() and _is_trusted():
        drain.drain_due(seconds=RUN_SECONDS / 2)


@shared_task
def look_at_regions() -> None:
    """Check which regions are away, and which are full."""
    health.check_all()


@shared_task
def scrub_due() -> None:
    """Verify new replicas soon, and old ones steadily, for a bounded time."""
    scrub.scrub_for(seconds=SCRUB_SECONDS)


@shared_task
def sweep() -> None:
    """Give up late uploads, remove doomed bytes and what is a day old, for a bounded time."""
    Heartbeat.beat("sweep")
    grant.drop_old()
    counts.drop_empty()
    if not _is_trusted():
        return
    locks.drop_stale(clock.now())
    sweeping.sweep_staging()
    swept = sweeping.sweep(seconds=RUN_SECONDS)
    if swept and sweeping.due(clock.now()).exists():
        wakeups.run_again(wakeups.SWEEP)


@shared_task
def expire() -> None:
    """Purge objects whose grace period has ended, for a bounded time."""
    if not _is_trusted(everywhere=True):
        return
    if purge.purge(seconds=RUN_SECONDS) and purge.is_due():
        wakeups.run_again(wakeups.EXPIRE)


@shared_task
def delete_vaults() -> None:
    """Empty vaults whose deletion was asked for, and close those whose time is over."""
    if not _is_trusted():
        return
    if whole_vaults.remove_due(seconds=RUN_SECONDS) and whole_vaults.due().exists():
        wakeups.run_again(wakeups.VAULTS)
    whole_vaults.close_ended()


@shared_task
def undelete() -> None:
    """Bring back what was asked for, for a bounded time."""
    if undeletes.undelete_due(seconds=RUN_SECONDS) and undeletes.due().exists():
        wakeups.run_again(wakeups.UNDELETE)


@shared_task
def erase_closed() -> None:
    """Remind people of closed accounts, and go on with erasing those whose time has come."""
    reminders.remind_due()
    work.work_off(steps.STEPS, seconds=RUN_SECONDS)


@shared_task
def tend_unused() -> None:
    """Tell of free accounts that nobody uses, and close those that were told of."""
    unused.tend()


@shared_task
def survey_regions() -> None:
    """Find bytes that arrived after their upload was swept, for a bounded time."""
    if not _is_trusted():
        return
    orphans.survey(seconds=RUN_SECONDS)
    if orphans.has_begun():
        wakeups.run_again(wakeups.SURVEY)


@shared_task
def recount() -> None:
    """Compare what is counted with the rows, once a day, for a bounded time."""
    counts.recount_due(seconds=RUN_SECONDS)
    if counts.has_begun():
        wakeups.run_again(wakeups.RECOUNT)


@shared_task
def keep_marks() -> None:
    """Write the catalogue's mark into every region."""
    guard.keep_marks()


@shared_task
def reconcile_after_jump() -> None:
    """Reconcile after a jump of the clock, so that purge and sweep may go on.

    After the restoration of an older database it is for the operator to do so.
    """
    with single_runner.alone("reconcile") as lease:  # asked for again before a long one has ended
        if lease and guard.is_of_clock_alone():
            reconcile.reconcile(SERVICE, on_step=lease.renew)


def _is_trusted(*, everywhere: bool = False) -> bool:
    """Return whether something may be destroyed now."""
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
def probe_mail() -> None:
    """Ask the mail server once a day whether it would take a mail."""
    mail_probe.probe_if_due()


@shared_task
def tell_losses() -> None:
    """Notify owners of lost objects at once."""
    losses.notify()


@shared_task
def tell_customers() -> None:
    """Have people told of late backups and plans that fill up, and send reports."""
    late_backups.tell_due()
    plan_room.tell_next()
    reports.send_due()


@shared_task
def sample_use() -> None:
    """Note what accounts and vaults hold today, once each, and drop old samples."""
    if samples.sample_due(seconds=RUN_SECONDS):
        wakeups.run_again(wakeups.SAMPLES)


@shared_task
def watch_all() -> None:
    """Correct future times, end what is over, repeat notices, and bring alarms up to date."""
    future_times.correct(clock.database_now())
    removals.close_ended()
    credential_changes.end_replaced()
    losses.notify()
    alarms.refresh()
