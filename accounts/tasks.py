"""Celery tasks about people: thin functions without arguments around the modules that do it.

Those that wait for others' computers have a queue of their own (`CELERY_TASK_ROUTES`), and in each
process one run at a time: a mail server that hangs holds up mails, and nothing else.
"""

import threading
import time

from celery import shared_task

from accounts.audit import sealing
from accounts.customer_api import idempotency
from accounts.notifications import deliver
from accounts.website.sign_in import sessions

RUN_SECONDS = 8.0
_mails, _endpoints, _failing = threading.Lock(), threading.Lock(), threading.Lock()


@shared_task
def deliver_mails() -> None:
    """Send mails that are due, for a bounded time."""
    _alone(_mails, deliver.MAILS)


@shared_task
def deliver_to_endpoints() -> None:
    """Tell customers' systems what is due, for a bounded time."""
    _alone(_endpoints, deliver.ENDPOINTS)


@shared_task
def deliver_to_failing_endpoints() -> None:
    """Try again what did not reach customers' systems, for a bounded time."""
    _alone(_failing, deliver.FAILING)


@shared_task
def seal_audit_log() -> None:
    """Seal rows of the audit log that the processes that wrote them did not get to."""
    sealing.seal_left_over()


@shared_task
def drop_old_requests() -> None:
    """Forget what programs asked for by a name of their own, a day later."""
    while idempotency.drop_old():
        pass


@shared_task
def drop_old_sessions() -> None:
    """Forget sessions that are over, for a bounded time."""
    until = time.monotonic() + RUN_SECONDS
    while sessions.drop_over() and time.monotonic() < until:
        pass


def _alone(lock: threading.Lock, channel: deliver.Channel) -> None:
    if lock.acquire(blocking=False):
        try:
            deliver.deliver_due(channel, seconds=RUN_SECONDS)
        finally:
            lock.release()
