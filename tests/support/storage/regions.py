"""What the tests of regions' lives share: a service of several regions, and its work by hand."""

import shutil
from datetime import timedelta
from pathlib import Path

from pytest_django import Settings

from accounts.audit import SERVICE
from backup_service import clock
from storage.deletion import sweep as sweeping
from storage.integrity import scrub
from storage.models import Region, Replica, StoredObject
from storage.regions import drain, lifecycle, write_off
from storage.replication import backfill
from storage.replication.replicator import replicate_due
from storage.stores.registry import prepare_new, sync_rows

LATER = timedelta(days=400)


def configure(settings: Settings, folder: Path, aliases: str) -> None:
    """Configure regions in directories, named by single letters."""
    settings.REGIONS = {alias: str(folder / f"region-{alias}") for alias in aliases}


def begin(settings: Settings, folder: Path, aliases: str) -> list[Region]:
    """Configure and prepare regions, in the order in which uploads try them."""
    configure(settings, folder, aliases)
    sync_rows()
    prepare_new(SERVICE)
    return list(Region.objects.order_by("priority"))


def region(alias: str) -> Region:
    return lifecycle.find(alias)


def work(*, rounds: int = 6) -> None:
    """Do what the workers do, until there is nothing more to do."""
    for _ in range(rounds):
        scrub.scrub_due(byte_budget=1 << 40)
        write_off.write_off_due()
        gone = drain.drain_due()
        added = backfill.backfill_due()
        made = replicate_due()
        if not gone and not added and not made:
            return


def sweep() -> int:
    return sweeping.sweep(doomed_before=clock.now() + LATER)


def burn(folder: Path, alias: str) -> None:
    shutil.rmtree(folder / f"region-{alias}")


def proved(obj: StoredObject) -> set[str]:
    """Return the regions with a proved replica that counts."""
    rows = Replica.objects.filter(object=obj).verified()
    return set(rows.values_list("region__alias", flat=True))
