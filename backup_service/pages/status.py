"""How the service stands, for everybody: what its own probes and workers last saw.

It reads a handful of rows that the workers keep, never objects or replicas, so it costs the same
however much is stored, and also when something is wrong.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.db.models import Avg, Count, Max, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from backup_service import clock
from backup_service.pages.health import WORKER_SILENCE
from backup_service.pages.public import public
from storage.models import CanaryRun, Channel, Heartbeat, Region
from storage.models.regions import place_name
from storage.stores.shared_disks import share_a_disk

SHOWN = timedelta(days=7)
PROBE_SILENCE = timedelta(hours=3)  # a probe goes out every half hour


class State(StrEnum):
    """How a part stands; the value is the word on the page."""

    WELL = gettext_noop("works")
    IMPAIRED = gettext_noop("impaired")
    AWAY = gettext_noop("away")
    UNKNOWN = gettext_noop("not known yet")

    @property
    def word(self) -> str:
        """The word on the page, in its language."""
        return _(self.value)

    @property
    def slug(self) -> str:
        """The class of its mark, which it shares with the standings of vaults."""
        return {"WELL": "protected", "IMPAIRED": "late", "AWAY": "at-risk"}.get(self.name, "never")


@dataclass(frozen=True)
class Part:
    """A part of the service: its state, and a sentence that says why."""

    name: str
    state: State
    reason: str


@dataclass(frozen=True)
class Place:
    """A region, as the probes saw it. `share` in whole per cent of the last week's; None: none."""

    name: str
    state: State
    reason: str
    share: int | None
    seconds: float | None
    probed_at: datetime | None


@public
def status(request: HttpRequest) -> HttpResponse:
    """Show all parts and places."""
    now = clock.now()
    found = places(now)
    shown = [storing(found), copying(now), mail()]
    context = {
        "parts": shown,
        "places": found,
        "all_well": all(part.state is State.WELL for part in shown),
        "now": now,
        "days": SHOWN.days,
        "shares_disk": share_a_disk(),
    }
    return render(request, "public/status.html", context)


def storing(places: list[Place]) -> Part:
    """Judge whether backups can be stored and restored."""
    name = _("Backing up and restoring")
    known = [place for place in places if place.state is not State.UNKNOWN]
    well = [place for place in known if place.state is State.WELL]
    if not known:
        return Part(
            name, State.UNKNOWN, _("No probe has been made yet. One goes out every half hour.")
        )
    if not well:
        return Part(name, State.AWAY, _("The last probe failed in every place."))
    if len(well) < len(known):
        return Part(
            name,
            State.IMPAIRED,
            _(
                "The last probe went well in %(well)d of %(known)d places. New backups go to "
                "those; what lies elsewhere is read from its other copy."
            )
            % {"well": len(well), "known": len(known)},
        )
    return Part(
        name, State.WELL, _("A small object was stored, read back and compared in every place.")
    )


def copying(now: datetime) -> Part:
    """Judge whether further copies are being made."""
    name = _("Making further copies")
    beat = Heartbeat.objects.filter(name="worker").first()
    if beat is None:
        return Part(name, State.UNKNOWN, _("The workers have not been heard of yet."))
    if now - beat.at > WORKER_SILENCE:
        return Part(
            name,
            State.IMPAIRED,
            _("The workers are silent. Backups are stored; their further copies wait."),
        )
    return Part(name, State.WELL, _("The workers report in."))


def mail() -> Part:
    """Judge whether mail leaves."""
    failing = Channel.objects.exclude(failed_at=None).exists()
    if failing:
        return Part(_("Sending mail"), State.IMPAIRED, _("The last mail could not be sent."))
    return Part(_("Sending mail"), State.WELL, _("No mail has failed lately."))


def places(now: datetime) -> list[Place]:
    """Return all places that hold backups, in a fixed number of queries."""
    regions = list(Region.objects.readable())
    rows = {
        row["region"]: row
        for row in CanaryRun.objects.filter(at__gte=now - SHOWN)
        .values("region")
        .annotate(
            n=Count("pk"),
            well=Count("pk", filter=Q(went_well=True)),
            seconds=Avg("seconds", filter=Q(went_well=True)),
            last=Max("at"),
            last_well=Max("at", filter=Q(went_well=True)),
        )
    }
    return [_place(region, rows.get(region.pk), now) for region in regions]


def _place(region: Region, row: Mapping[str, Any] | None, now: datetime) -> Place:
    seen = row or {"n": 0, "well": 0, "seconds": None, "last": None, "last_well": None}
    state, reason = _judge(region, seen["last"], seen["last_well"], now)
    return Place(
        name=place_name(region.place, region.alias),
        state=state,
        reason=reason,
        share=100 * seen["well"] // seen["n"] if seen["n"] else None,
        seconds=seen["seconds"],
        probed_at=seen["last"],
    )


def _judge(
    region: Region, last: datetime | None, last_well: datetime | None, now: datetime
) -> tuple[State, str]:
    if region.away_since is not None:
        return State.AWAY, _("It does not answer. What it holds is read from other places.")
    if region.status != Region.Status.ACTIVE:
        return State.WELL, _("It gives back what it holds and takes nothing new.")
    if region.full_since is not None:
        return State.IMPAIRED, _("It is full. New backups go to other places.")
    if last is None:
        return State.UNKNOWN, _("It was not probed yet.")
    if last != last_well:
        return State.IMPAIRED, _("The last probe did not come back.")
    if now - last > PROBE_SILENCE:
        return State.UNKNOWN, _("It was not probed for some hours.")
    return State.WELL, _("The last probe came back whole.")
