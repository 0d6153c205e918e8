"""Queries the figures behind alarms and metrics, without asking any store."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db.models import Count, F, Max, Min, OuterRef, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from accounts.models import Closing
from storage.counters.figures import earliest
from storage.models import (
    CanaryRun,
    Catalogue,
    Channel,
    Heartbeat,
    Recount,
    Region,
    Replica,
    StoredObject,
    Survey,
)
from storage.monitoring import backlogs, mail, mail_probe, rules
from storage.monitoring.rules import Figures, RegionFigures
from storage.objects import placement
from storage.regions import status

_LIFE = OuterRef("trusted_from")
CAPPED_LATELY = 2 * rules.HOUR  # twice as long as between two purges


def figures(now: datetime) -> Figures:
    """Return how the service stands, in a fixed number of queries."""
    regions = list(Region.objects.configured())
    begun = min((region.created_at for region in regions), default=now)
    beats = dict(Heartbeat.objects.values_list("name", "at"))
    lost = StoredObject.objects.lost().aggregate(
        objects=Count("pk"), vaults=Count("vault", distinct=True)
    )
    own = Catalogue.objects.filter(pk=1).first()
    capped_at = own.capped_at if own else None
    failing = {one.name: one for one in Channel.objects.exclude(failed_at=None)}
    broken, probe = failing.get(mail.CHANNEL), failing.get(mail_probe.CHANNEL)
    return Figures(
        regions=_regions(regions, now),
        lost=lost["objects"],
        lost_vaults=lost["vaults"],
        worker_age=_age(beats.get("worker", begun), now),
        scrub_silence=_age(beats.get("scrub", begun), now),
        sweep_silence=_age(beats.get("sweep", begun), now),
        doubt=own.doubt_text if own else "",
        given_up_closings=Closing.objects.filter(parked_at__isnull=False).count(),
        miscounted=max(Recount.objects.values_list("differed", "differed_so_far").first() or (0,)),
        is_capped=capped_at is not None and _age(capped_at, now) < CAPPED_LATELY,
        mail_error=broken.error if broken else "",
        has_recipients=settings.EMBEDDED or bool(mail.staff()),
        probe_failing=_age(probe.failed_at if probe else None, now),
        probe_error=probe.error if probe else "",
        mails=backlogs.of_mails(now),
        events=backlogs.of_payment_events(now),
        promised=status.promised_replicas(),
        reachable=placement.reachable_replicas(placement.candidates()),
    )


def _regions(regions: Iterable[Region], now: datetime) -> list[RegionFigures]:
    waiting = _by_region(
        Replica.objects.waiting().feasible(),
        n=Count("pk"),
        bytes=Sum("object__size"),
        since=Min("since"),
        parked=Count("parked_at"),
    )
    read = _read_back()
    well, failed = _canaries()
    strange = dict(Survey.objects.values_list("region", "strange"))
    made = []
    for region in regions:
        row = waiting.get(region.pk, {})
        unread, oldest = read.get(region.pk, (None, None))
        made.append(
            RegionFigures(
                alias=region.alias,
                takes=region.status == Region.Status.ACTIVE,
                waiting=row.get("n", 0),
                waiting_bytes=row.get("bytes") or 0,
                waiting_age=_age(row.get("since"), now),
                parked=row.get("parked", 0),
                unread_age=_age(unread, now),
                scrub_age=_age(oldest, now),
                canary_age=_age(well.get(region.pk, region.created_at), now),
                canary_error=failed.get(region.pk, ""),
                away=_age(region.away_since, now),
                is_full=region.full_since is not None,
                strange=strange.get(region.pk, 0),
            )
        )
    return made


def _read_back() -> dict[int, tuple[datetime | None, datetime | None]]:
    """Return for each region since when its oldest unverified replica is there, and when of the
    others the oldest was read back.

    Each moment is the first entry of an index, however many replicas there are; only those never
    read back in the region's present life are gone through.
    """
    stored = Replica.objects.stored().filter(region=OuterRef("pk")).order_by()
    never, before = stored.filter(verified_at=None), stored.filter(verified_at__lt=_LIFE)
    since = stored.filter(verified_at__gte=Coalesce(_LIFE, Value(datetime.min.replace(tzinfo=UTC))))
    rows = Region.objects.readable().values_list(
        "pk",
        Subquery(never.order_by("stored_at").values("stored_at")[:1]),
        Subquery(before.order_by("stored_at").values("stored_at")[:1]),
        Subquery(since.order_by("verified_at").values("verified_at")[:1]),
    )
    return {pk: (earliest(new, anew), oldest) for pk, new, anew, oldest in rows}


def _canaries() -> tuple[dict[int, datetime], dict[int, str]]:
    """Return when each region's canary last came back, and of which the newest did not, and why."""
    runs = CanaryRun.objects.all()
    well = dict(runs.filter(went_well=True).values_list("region").annotate(last=Max("at")))
    newest = runs.filter(region=OuterRef("region")).order_by("-at").values("pk")[:1]
    failed = runs.filter(pk=Subquery(newest), went_well=False)
    return well, dict(failed.values_list("region", "error"))


def _by_region(rows: Any, **figures: Any) -> dict[int, dict[str, Any]]:
    found = rows.order_by().values(pk_of_region=F("region")).annotate(**figures)
    return {row["pk_of_region"]: row for row in found}


def _age(moment: datetime | None, now: datetime) -> float:
    return max(0.0, (now - moment).total_seconds()) if moment else 0.0
