"""Scrub: reading stored bytes again, oldest verification first, so that decay is found early."""

import logging
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import F, Q, QuerySet

from backup_service import clock
from storage import damage
from storage.models import Region, Replica
from storage.regions import configured, store_of
from storage.regions.base import NoSuchKeyError, RegionUnavailableError

log = logging.getLogger(__name__)


@dataclass
class Findings:
    """What a scrub saw, in copies and bytes."""

    checked: int = 0
    bytes: int = 0
    damaged: int = 0
    unreachable: int = 0


def due(now: datetime) -> QuerySet[Replica]:
    """Return the copies never read back, and those not read for a scrub period."""
    before = now - settings.SCRUB_PERIOD
    return (
        Replica.objects.filter(
            Q(verified_at=None)
            | Q(verified_at__lt=before)
            | Q(verified_at__lt=F("region__trusted_from")),
            state=Replica.State.STORED,
            region__status__in=Region.READABLE,
        )
        .select_related("object", "region", "attempt__vault")
        .order_by(F("verified_at").asc(nulls_first=True), "pk")
    )


def scrub_due(*, byte_budget: int) -> Findings:
    """Read back what is due, up to about `byte_budget` bytes."""
    findings = Findings()
    healthy = _reachable()
    for replica in due(clock.now()).filter(region__in=healthy)[:1000]:
        if findings.bytes >= byte_budget:
            break
        _scrub(replica, findings)
    return findings


def scrub_all() -> Findings:
    """Read back every copy there is. For operators: a region that is not there counts as
    holding nothing, so its copies are marked as missing and made again by `repair`.
    """
    findings = Findings()
    healthy = {region.pk for region in _reachable()}
    stored = Replica.objects.readable()
    for replica in stored.select_related("object", "region", "attempt__vault").iterator(200):
        if replica.region_id in healthy:
            _scrub(replica, findings)
        else:
            findings.unreachable += 1
            damage.mark(replica, NoSuchKeyError(f"region {replica.region.alias} is not there"))
    return findings


def _reachable() -> list[Region]:
    regions = []
    for region in Region.objects.filter(alias__in=configured(), status__in=Region.READABLE):
        try:
            store_of(region).check()
        except RegionUnavailableError as error:
            log.warning("cannot scrub: %s", error)
        else:
            regions.append(region)
    return regions


def _scrub(replica: Replica, findings: Findings) -> None:
    findings.checked += 1
    findings.bytes += replica.object.size
    try:
        damage.require_good(replica, replica.object)
    except damage.BadCopyError:
        findings.damaged += 1
    except RegionUnavailableError:
        findings.unreachable += 1
    else:
        Replica.objects.filter(
            pk=replica.pk, attempt=replica.attempt_id, state=Replica.State.STORED
        ).update(verified_at=clock.now())
