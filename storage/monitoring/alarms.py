"""Collects the figures behind alarms and metrics, keeps alarms, and mails staff."""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, Max, Min, OuterRef, Q, Subquery, Sum

from accounts.models import User
from backup_service import clock
from storage.database import lock_order
from storage.models import (
    Alarm,
    CanaryRun,
    Catalogue,
    Channel,
    Heartbeat,
    Region,
    Replica,
    StoredObject,
    Survey,
)
from storage.monitoring import mail, rules
from storage.monitoring.rules import AlarmState, Figures, RegionFigures
from storage.objects import placement
from storage.regions import status

log = logging.getLogger(__name__)
REMIND = timedelta(days=1)
CAPPED_LATELY = 2 * rules.HOUR  # twice as long as between two purges


def figures(now: datetime) -> Figures:
    """Return how the service stands. A fixed number of queries, and no store is asked."""
    regions = list(Region.objects.configured())
    begun = min((region.created_at for region in regions), default=now)
    beats = dict(Heartbeat.objects.values_list("name", "at"))
    lost = StoredObject.objects.lost().aggregate(
        objects=Count("pk"), vaults=Count("vault", distinct=True)
    )
    own = Catalogue.objects.filter(pk=1).first()
    capped_at = own.capped_at if own else None
    broken = Channel.objects.exclude(failed_at=None).first()
    return Figures(
        regions=_regions(regions, now),
        lost=lost["objects"],
        lost_vaults=lost["vaults"],
        worker_age=_age(beats.get("worker", begun), now),
        scrub_silence=_age(beats.get("scrub", begun), now),
        sweep_silence=_age(beats.get("sweep", begun), now),
        doubt=own.doubt_text if own else "",
        is_capped=capped_at is not None and _age(capped_at, now) < CAPPED_LATELY,
        mail_error=broken.error if broken else "",
        has_recipients=settings.EMBEDDED or bool(recipients()),
        promised=status.promised_copies(),
        reachable=placement.reachable_copies(placement.sites()),
    )


def recipients() -> list[str]:
    """Return whom alarms go to: NIGHTSAFE_ADMINS, or else the superusers."""
    named = [address for _, address in settings.ADMINS]
    if named:
        return named
    chosen = User.objects.filter(is_superuser=True, is_active=True).order_by("pk")
    return list(chosen.values_list("email", flat=True))


def present() -> list[AlarmState]:
    """Return what is wrong at this moment."""
    return rules.judge(figures(clock.now()))


def watch() -> list[AlarmState]:
    """Write down what is wrong, and tell staff of what is new, over, or a day old."""
    found = present()
    now = clock.now()
    for finding in found:
        Alarm.objects.update_or_create(
            key=finding.key, defaults={"text": finding.text[:500], "advice": finding.advice[:500]}
        )
    over = list(Alarm.objects.exclude(key__in=[finding.key for finding in found]))
    to_tell = list(
        Alarm.objects.filter(key__in=[finding.key for finding in found]).filter(
            Q(mailed_at=None) | Q(mailed_at__lte=now - REMIND)
        )
    )
    told_over = [alarm for alarm in over if alarm.mailed_at is not None]
    if _tell(to_tell, told_over):
        with transaction.atomic():
            told = lock_order.hold(Alarm.objects.filter(pk__in=[alarm.pk for alarm in to_tell]))
            Alarm.objects.filter(pk__in=told).update(mailed_at=now)
        told_over = []
    kept = [alarm.pk for alarm in told_over]  # to be told of once mail works again
    with transaction.atomic():
        gone = Alarm.objects.filter(pk__in=[alarm.pk for alarm in over]).exclude(pk__in=kept)
        Alarm.objects.filter(pk__in=lock_order.hold(gone)).delete()
    Heartbeat.beat("watch")
    return found


def _tell(present_alarms: list[Alarm], over: list[Alarm]) -> bool:
    """Send one mail about all of it; return whether that is settled."""
    if not present_alarms and not over:
        return True
    lines = [
        f"{alarm.text}\n  {alarm.advice}\n  Since {_when(alarm.since)}\n"
        for alarm in present_alarms
    ]
    lines += [f"Over: {alarm.text}\n" for alarm in over]
    lines.append(f"All alarms at present: {settings.SITE_URL}/admin/storage/alarm/\n")
    first = (present_alarms or over)[0]
    more = len(present_alarms) + len(over) - 1
    subject = f"{'' if present_alarms else 'Over: '}{first.text}"[:120]
    subject += f" (and {more} more)" if more else ""
    return mail.send(f"Nightsafe alarm: {subject}", "\n".join(lines), to=recipients())


def _when(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _regions(regions: Iterable[Region], now: datetime) -> list[RegionFigures]:
    waiting = _by_region(
        Replica.objects.waiting().feasible(),
        n=Count("pk"),
        bytes=Sum("object__size"),
        since=Min("since"),
        parked=Count("parked_at"),
    )
    read = _by_region(
        Replica.objects.readable(),
        unread=Min("stored_at", filter=Replica.UNVERIFIED),
        oldest=Min("verified_at", filter=~Replica.UNVERIFIED),
    )
    well, failed = _canaries()
    strange = dict(Survey.objects.values_list("region", "strange"))
    made = []
    for region in regions:
        row, seen = waiting.get(region.pk, {}), read.get(region.pk, {})
        made.append(
            RegionFigures(
                alias=region.alias,
                takes=region.status == Region.Status.ACTIVE,
                waiting=row.get("n", 0),
                waiting_bytes=row.get("bytes") or 0,
                waiting_age=_age(row.get("since"), now),
                parked=row.get("parked", 0),
                unread_age=_age(seen.get("unread"), now),
                scrub_age=_age(seen.get("oldest"), now),
                canary_age=_age(well.get(region.pk, region.created_at), now),
                canary_error=failed.get(region.pk, ""),
                away=_age(region.away_since, now),
                is_full=region.full_since is not None,
                strange=strange.get(region.pk, 0),
            )
        )
    return made


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
