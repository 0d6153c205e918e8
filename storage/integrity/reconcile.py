"""Reconciles rows with stores, in both directions, and figures with rows.

Bytes that no row knows are reported and left alone, unless the journal or a given-up upload says
that they were to go. Rows whose bytes are not there become work for repair.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from accounts.audit import Actor
from accounts.models import Account
from storage.database import bulk
from storage.deletion import guard, sweep
from storage.integrity.catalogue_recovery import CatalogueRecovery
from storage.models import Attempt, JournalEntry, Region, Replica, SweptAttempt
from storage.object_names import StoreKey
from storage.objects import damage
from storage.stores.base import NoSuchKeyError, RegionError, RegionStore
from storage.stores.registry import store_of
from storage.vaults import quota

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
    brought_back: int = 0
    adopted: int = 0
    complete: bool = False


def reconcile(actor: Actor, *, on_step: Callable[[], None] = lambda: None) -> Report:
    """Compare everything, and correct what can be corrected without removing anything known.

    Once every region was compared to the end, doubts about catalogue and clock are over. It may
    take hours; `on_step` is called all along.
    """
    marks = guard.compare_marks()
    rebuild = CatalogueRecovery(guard.missed()) if guard.is_restored() else None
    if rebuild is not None:
        rebuild.begin()
    report = Report(staging_swept=sweep.sweep_staging())
    compared = set()
    for region in Region.objects.configured():
        try:
            store = store_of(region)
            store.check()
            _compare(region, store, report, rebuild, on_step)
        except RegionError as error:
            report.unavailable.append(str(error))
        else:
            compared.add(region.alias)
    if rebuild is not None:
        rebuild.end()
        report.brought_back, report.adopted = rebuild.result.brought_back, rebuild.result.adopted
    for account in Account.objects.all():
        on_step()
        report.accounts_mended += not quota.recount(account, mend=True).agrees
    report.complete = compared >= {*marks.heard, *marks.silent}
    if report.complete:
        guard.settle(actor, seen=marks.highest)
    return report


def _compare(
    region: Region,
    store: RegionStore,
    report: Report,
    rebuild: CatalogueRecovery | None,
    on_step: Callable[[], None],
) -> None:
    found: set[str] = set()
    for key, size in store.list_keys():
        on_step()
        report.keys += 1
        found.add(key.attempt)
        known = Attempt.objects.filter(pk=key.attempt, region=region)
        if rebuild is not None:
            known = known.exclude(state=Attempt.State.WRITING)
        if not known.exists():
            _handle_unknown(region, store, key, size, report, rebuild)
    stored = Replica.objects.stored().filter(region=region)
    for replica in bulk.steadily(stored, 500):
        on_step()
        if replica.attempt_id not in found and _is_gone(replica):
            damage.mark(replica, NoSuchKeyError("not in the region's listing"))
            report.missing += 1


def _is_gone(replica: Replica) -> bool:
    """Return whether a row, which may be newer than the list, still points to missing bytes."""
    current = Replica.objects.select_related("attempt__vault", "region").get(pk=replica.pk)
    if current.state != Replica.State.STORED or current.attempt is None:
        return False
    try:
        store_of(current.region).size(current.attempt.key)
    except NoSuchKeyError:
        return True
    return False


def _handle_unknown(
    region: Region,
    store: RegionStore,
    key: StoreKey,
    size: int,
    report: Report,
    rebuild: CatalogueRecovery | None,
) -> None:
    """Handle bytes that no row knows: remove them if they were to go, else keep them."""
    purged = JournalEntry.objects.filter(
        kind=JournalEntry.Kind.PURGE,
        vault__public_id=key.vault,
        type=key.object.type,
        name=key.object.name,
    )
    is_swept = SweptAttempt.objects.filter(pk=key.attempt).exists()
    if is_swept or any(str(key) in entry.attempts for entry in purged):
        store.delete(key)
        report.purged_again += 1
    elif rebuild is None or not rebuild.adopt(region, store, key, size):
        log.error("unknown bytes in region %s: %s", store.alias, key)
        report.unknown.append(f"{store.alias}: {key}")
