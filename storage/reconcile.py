"""Reconciliation: rows against stores, in both directions, and figures against rows.

Bytes that no row knows are reported and left alone, unless the journal or a given-up upload says
that they were to go. Rows whose bytes are not there become work for repair.
"""

import logging
from dataclasses import dataclass, field

from accounts.models import Account
from storage import damage, quota, rows, sweeping
from storage.models import Attempt, JournalEntry, Region, Replica
from storage.names import StoreKey
from storage.regions import configured, store_of
from storage.regions.base import NoSuchKeyError, RegionStore, RegionUnavailableError

log = logging.getLogger(__name__)


@dataclass
class Report:
    """What was compared and what was found, over all regions."""

    keys: int = 0
    missing: int = 0
    purged_again: int = 0
    unknown: list[str] = field(default_factory=list)
    staging_swept: int = 0
    unavailable: list[str] = field(default_factory=list)
    accounts_mended: int = 0


def reconcile() -> Report:
    """Compare everything and put right what can be put right without removing anything known."""
    report = Report(staging_swept=sweeping.sweep_staging())
    for region in Region.objects.filter(alias__in=configured()):
        try:
            store = store_of(region)
            store.check()
        except RegionUnavailableError as error:
            report.unavailable.append(str(error))
            continue
        _compare(region, store, report)
    for account in Account.objects.all():
        report.accounts_mended += not quota.recount(account, mend=True).agrees
    return report


def _compare(region: Region, store: RegionStore, report: Report) -> None:
    found: set[str] = set()
    for key, _size in store.list_keys():
        report.keys += 1
        found.add(key.attempt)
        if not Attempt.objects.filter(pk=key.attempt, region=region).exists():
            _strange(store, key, report)
    stored = Replica.objects.filter(region=region, state=Replica.State.STORED)
    for replica in rows.steadily(stored, 500):
        if replica.attempt_id not in found and _is_gone(replica):
            damage.mark(replica, NoSuchKeyError("not in the region's listing"))
            report.missing += 1


def _is_gone(replica: Replica) -> bool:
    """Whether the row still points to bytes that are not there (it may be newer than the list)."""
    current = Replica.objects.select_related("attempt__vault", "region").get(pk=replica.pk)
    if current.state != Replica.State.STORED or current.attempt is None:
        return False
    try:
        store_of(current.region).size(current.attempt.key)
    except NoSuchKeyError:
        return True
    return False


def _strange(store: RegionStore, key: StoreKey, report: Report) -> None:
    purged = JournalEntry.objects.filter(
        kind=JournalEntry.Kind.PURGE,
        vault__public_id=key.vault,
        type=key.object.type,
        name=key.object.name,
    )
    if any(str(key) in entry.attempts for entry in purged):
        store.delete(key)
        report.purged_again += 1
    else:
        log.error("unknown bytes in region %s: %s", store.alias, key)
        report.unknown.append(f"{store.alias}: {key}")
