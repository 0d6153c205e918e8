"""Counts that must agree with the rows, and rows that were made past the service."""

from dataclasses import replace
from datetime import UTC, datetime

from django.db.models import Count, Min, Q, Sum

from backup_service import clock
from storage.counters import recount
from storage.counters.situation import SPAN
from storage.models import Attempt, Region, Replica, StoredObject, Vault
from storage.models.replicas import ReplicaQuerySet
from storage.regions import drain as draining
from storage.regions.status import region_status
from storage.vault_status.protection import VaultFigures
from storage.vault_status.vault_statistics import figures_of


def recounted() -> None:
    """Count rows that a test has made or changed past the service."""
    for vault in Vault.objects.all():
        recount.mend(vault)


def require_counted() -> None:
    """Compare every vault's counts with what its rows say."""
    wrong = [found for vault in Vault.objects.all() if (found := recount.compare(vault))]
    assert not wrong, wrong


def require_figures() -> None:
    """Compare what pages show with rows, counted one by one."""
    vaults = list(Vault.objects.select_related("device"))
    shown = figures_of(vaults)
    for vault in vaults:
        require_same(shown[vault.pk], vault)
    require_regions()


def require_regions() -> None:
    """Compare what the staff's page says of regions with their replicas and attempts."""
    for shown in region_status(clock.now()):
        replicas = Replica.objects.filter(region__alias=shown.region)
        attempts = Attempt.objects.filter(region__alias=shown.region, replica=None)
        stored, waiting = replicas.stored(), replicas.waiting()
        assert (shown.objects, shown.bytes) == (stored.count(), _size(stored))
        assert shown.pending == replicas.filter(state="pending").count()
        assert shown.corrupt == replicas.filter(state__in=Replica.DAMAGED).count()
        assert (shown.waiting_bytes, shown.parked) == (_size(waiting), waiting.parked().count())
        assert shown.doomed == attempts.filter(state="doomed").count()
        assert shown.empty == (not replicas.exists() and not attempts.exists())
        if shown.drain is not None:
            left = draining.left_in(Region.objects.get(alias=shown.region))
            assert (shown.drain.objects_left, shown.drain.bytes_left) == (left.objects, left.bytes)
            assert (shown.drain.doomed, shown.drain.kept_aside) == (left.doomed, left.kept_aside)


def _size(replicas: ReplicaQuerySet) -> int:
    return replicas.aggregate(n=Sum("object__size"))["n"] or 0


def require_same(shown: VaultFigures, vault: Vault) -> None:
    """Compare a vault's figures with its objects and replicas, one by one."""
    current = StoredObject.objects.current().filter(vault=vault)
    live = current.live()
    readable = Count(
        "replicas",
        filter=Q(replicas__state="stored", replicas__region__status__in=Region.READABLE),
    )
    good = list(current.annotate(good=readable).values_list("good", flat=True))
    waiting = Replica.objects.waiting().filter(object__in=live)
    kept = StoredObject.objects.filter(vault=vault, state="tombstoned")
    since = waiting.aggregate(since=Min("since"))["since"]
    expected = replace(
        shown,
        objects=len(good),
        lost=current.lost().count(),
        snapshots=live.filter(type=StoredObject.Type.SNAPSHOT).count(),
        bytes=current.aggregate(n=Sum("size"))["n"] or 0,
        kept_bytes=kept.aggregate(n=Sum("size"))["n"] or 0,
        thin=sum(number < Replica.MIN_COPIES for number in good),
        fewest_copies=min(good, default=0),
        waiting=waiting.count(),
        parked=waiting.parked().count(),
        waiting_since=since and datetime.fromtimestamp((since.timestamp() // SPAN + 1) * SPAN, UTC),
    )
    assert shown == expected, (shown, expected)
