"""Notes once a day what accounts and vaults hold, and reads that as a line over time.

Each day (UTC) has one row for an account and one for a vault. A day on which no worker ran has
none; a second run on the same day finds nothing to do.
"""

import time
from collections.abc import Iterator
from datetime import date, timedelta
from typing import TypeVar

from django.db.models import Exists, Model, OuterRef, QuerySet

from accounts.models import Account
from backup_service import clock
from storage.models import Usage, UsageSample, Vault, VaultSample
from storage.vault_status.vault_statistics import figures_of

Row = TypeVar("Row", UsageSample, VaultSample)
KEPT = timedelta(days=400)
BATCH = 100  # rows written, or dropped, at a time


def sample_due(*, seconds: float) -> bool:
    """Sample what has not been sampled today, for a bounded time; return whether more is left."""
    until = time.monotonic() + seconds
    today = clock.now().date()
    return any(time.monotonic() >= until for _ in _steps(today))


def _steps(today: date) -> Iterator[None]:
    """Do one bounded piece of work at a time."""
    while _sample_accounts(today):
        yield
    while _sample_vaults(today):
        yield
    for table in (UsageSample, VaultSample):
        while _drop_old(table, today):
            yield


def _sample_accounts(today: date) -> int:
    done = UsageSample.objects.filter(account=OuterRef("account"), day=today)
    due = Usage.objects.filter(~Exists(done)).order_by("pk")[:BATCH]
    made = [
        UsageSample(
            account_id=one.account_id,
            day=today,
            live_bytes=one.live_bytes,
            tombstoned_bytes=one.tombstoned_bytes,
        )
        for one in due
    ]
    UsageSample.objects.bulk_create(made, ignore_conflicts=True)
    return len(made)


def _sample_vaults(today: date) -> int:
    done = VaultSample.objects.filter(vault=OuterRef("pk"), day=today)
    open_ones = Vault.objects.filter(~Exists(done), closed_at=None)
    due = list(open_ones.select_related("account", "device").order_by("pk")[:BATCH])
    figures = figures_of(due) if due else {}
    made = [VaultSample(vault=one, day=today, bytes=figures[one.pk].bytes) for one in due]
    VaultSample.objects.bulk_create(made, ignore_conflicts=True)
    return len(made)


def _drop_old(table: type[Model], today: date) -> int:
    old = table._default_manager.filter(day__lt=today - KEPT).order_by("pk")
    keys = list(old.values_list("pk", flat=True)[: 10 * BATCH])
    if keys:
        table._default_manager.filter(pk__in=keys).delete()
    return len(keys)


def of_account(account: Account, days: int) -> QuerySet[UsageSample]:
    """Return an account's samples of the last so many days before today, oldest first."""
    return _last(UsageSample.objects.filter(account=account), days)


def of_vault(vault: Vault, days: int) -> QuerySet[VaultSample]:
    """Return a vault's samples of the last so many days before today, oldest first."""
    return _last(VaultSample.objects.filter(vault=vault), days)


def _last(rows: QuerySet[Row], days: int) -> QuerySet[Row]:
    today = clock.now().date()
    return rows.filter(day__gte=today - timedelta(days=days), day__lt=today).order_by("day")
