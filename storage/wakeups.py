"""Wakes the workers through the broker, without ever waiting for it.

The rows are the work list, and the workers read it by themselves every few seconds; a wake-up
only makes them read it now. So a wake-up may be lost, and requests never wait for one: a thread of
the process sends at most a few a second.
"""

import logging
import os
import threading
import time
from functools import partial

from celery import Celery
from django.db import transaction
from kombu.connection import Connection
from kombu.exceptions import OperationalError

from backup_service import celery_app

log = logging.getLogger(__name__)

# By name: whoever wakes a worker need not know the work.
REPLICATION = "storage.tasks.replicate_due"
LOSSES = "storage.tasks.tell_losses"
SWEEP = "storage.tasks.sweep"
RECONCILE = "storage.tasks.reconcile_after_jump"
SURVEY = "storage.tasks.survey_regions"
RECOUNT = "storage.tasks.recount"
EXPIRE = "storage.tasks.expire"
UNDELETE = "storage.tasks.undelete"
SAMPLES = "storage.tasks.sample_use"
VAULTS = "storage.tasks.delete_vaults"
SPACING = 0.25  # seconds between two wake-ups of a process
BACKOFF = 10.0  # seconds of silence after the broker did not answer

_wanted = threading.Event()
_tasks: set[str] = set()
_lock = threading.Lock()
_sender: tuple[int, threading.Thread] | None = None


def replication() -> None:
    """Ask the workers to look for replicas to make, once the transaction is committed."""
    transaction.on_commit(partial(ask, REPLICATION))


def losses() -> None:
    """Ask the workers to tell of lost objects, once the transaction is committed."""
    transaction.on_commit(partial(ask, LOSSES))


def undeletes() -> None:
    """Ask the workers to bring back what was asked for, once the transaction is committed."""
    transaction.on_commit(partial(ask, UNDELETE))


def vault_deletions() -> None:
    """Ask the workers to empty vaults that are to go, once the transaction is committed."""
    transaction.on_commit(partial(ask, VAULTS))


def run_again(task: str) -> None:
    """Ask for another run of a task that has not come to its end."""
    ask(task)


def everything(app: Celery = celery_app) -> bool:
    """Have all that beat sends done now, and not at its next tick; return whether that was heard.

    For whoever moved the clock, of which beat knows nothing.
    """
    tasks = sorted({entry["task"] for entry in app.conf.beat_schedule.values()})
    try:
        with connection(app) as broker:
            for task in tasks:
                app.send_task(task, connection=broker, retry=False, expires=60)
    except OperationalError as error:
        log.warning("no wake-up reached the broker: %s", type(error).__name__)
        return False
    return True


def ask(task: str) -> None:
    _tasks.add(task)
    _wanted.set()
    _ensure_sender()


def _ensure_sender() -> None:
    global _sender
    with _lock:
        if _sender is None or _sender[0] != os.getpid() or not _sender[1].is_alive():
            thread = threading.Thread(target=_send_forever, name="wakeups", daemon=True)
            _sender = (os.getpid(), thread)
            thread.start()


def _send_forever() -> None:
    while _wanted.wait():
        _wanted.clear()
        try:
            _send_all()
        except Exception as error:  # the broker's absence, in any of its forms, costs nothing
            log.warning("no wake-up reached the broker: %s", type(error).__name__)
            time.sleep(BACKOFF)
        time.sleep(SPACING)


def _send_all() -> None:
    """Send what is wanted, over one connection."""
    with connection(celery_app) as broker:
        while _tasks:
            celery_app.send_task(_tasks.pop(), connection=broker, retry=False, expires=60)


def connection(app: Celery) -> Connection:
    """Return a connection that gives up at once if the broker refuses it.

    kombu tries for some seconds otherwise, and that when publishing is *not* to be repeated. For
    wake-ups alone: workers and beat are to wait for their broker.
    """
    options = {**app.conf.broker_transport_options, "max_retries": 0}
    made: Connection = app.connection_for_write(transport_options=options)
    return made
