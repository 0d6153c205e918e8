"""Accounts that leave: the workers' turns without waiting, and a search through every table."""

from collections.abc import Iterable
from datetime import timedelta

from django.db import connection
from django.test import override_settings

import billing.closing
from accounts.closing import work
from accounts.models import Account, Closing, Delivery
from accounts.notifications import deliver
from backup_service import clock
from storage.deletion import sweep
from storage.leaving import steps

DAY, MONTH = timedelta(days=1), timedelta(days=31)
Step = Closing.Step


def turn() -> None:
    """Have every worker do what is due, and what would be in some minutes."""
    waiting = Closing.objects.filter(ended_at=None)
    waiting.update(next_attempt_at=clock.now())
    work.work_off(billing.closing.STEPS, seconds=20)
    waiting.update(next_attempt_at=clock.now())
    work.work_off(steps.STEPS, seconds=20)
    Delivery.objects.waiting().update(next_attempt_at=clock.now())
    with override_settings(ROOT_URLCONF="backup_service.urls"):  # mails have links to the site
        deliver.deliver_due(deliver.MAILS, seconds=20)
    sweep.sweep(doomed_before=clock.now() + DAY)


def erase(account: Account, *, turns: int = 12) -> Closing:
    """Go on until an account is erased; return its closing."""
    for _ in range(turns):
        turn()
        row = Closing.objects.get(account=account)
        if row.ended_at is not None:
            return row
    raise AssertionError(f"not erased after {turns} turns: {row}, {row.error}")


def tables_with(words: Iterable[str]) -> dict[str, list[str]]:
    """Return the tables that hold any of these words, in any case, and which words."""
    found: dict[str, list[str]] = {}
    wanted = [word.lower() for word in words]
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            text = "\n".join(str(_readable(row)) for row in cursor.fetchall()).lower()
            if here := [word for word in wanted if word in text]:
                found[table] = here
    return found


def _readable(row: tuple[object, ...]) -> list[object]:
    return [bytes(one).decode("latin-1") if isinstance(one, memoryview) else one for one in row]
