"""Celery tasks about payments: thin functions without arguments around the modules that do it.

Those that speak to Stripe are in the queue of what waits for others' computers, one run at a time
in each process.
"""

import threading

from celery import shared_task

from accounts.closing import work as closing_work
from billing import closing, reconcile, unpaid
from billing.webhooks import work

RUN_SECONDS = 8.0
RECONCILE_SECONDS = 40.0
_events, _customers, _closings = threading.Lock(), threading.Lock(), threading.Lock()


@shared_task
def work_off_events() -> None:
    """Work off what Stripe has sent, for a bounded time."""
    if _events.acquire(blocking=False):
        try:
            work.work_off(seconds=RUN_SECONDS)
        finally:
            _events.release()


@shared_task
def reconcile_customers() -> None:
    """Ask Stripe about customers that are due, for a bounded time."""
    if _customers.acquire(blocking=False):
        try:
            reconcile.reconcile_due(seconds=RECONCILE_SECONDS)
            work.forget_old()
        finally:
            _customers.release()


@shared_task
def end_payments() -> None:
    """End what closed accounts have with Stripe, for a bounded time."""
    if _closings.acquire(blocking=False):
        try:
            closing_work.work_off(closing.STEPS, seconds=RUN_SECONDS)
        finally:
            _closings.release()


@shared_task
def tend_unpaid() -> None:
    """Tell and announce what is due about money and room; close, or reopen, accounts."""
    unpaid.tend()
    closing.reopen_settled()
