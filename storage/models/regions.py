"""Tables of regions, and of the backfill that finds lacking replicas."""

import logging
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F
from django.utils.translation import gettext

from backup_service import clock

log = logging.getLogger(__name__)


def place_name(place: str, alias: str) -> str:
    """Return what customers call a region: where it is, or at least that it is a place."""
    return place or gettext("Place %(alias)s") % {"alias": alias.upper()}


class RegionQuerySet(models.QuerySet["Region"]):
    """Rules about regions: which are configured, and what they are used for."""

    def configured(self) -> Self:
        """Regions that the environment names."""
        return self.filter(alias__in=[*settings.REGIONS])

    def readable(self) -> Self:
        """Configured regions whose replicas are read."""
        return self.configured().filter(status__in=Region.READABLE)

    def active(self) -> Self:
        """Configured regions that take new replicas."""
        return self.configured().filter(status=Region.Status.ACTIVE)

    def draining(self) -> Self:
        """Regions that are being drained."""
        return self.filter(status=Region.Status.DRAINING)


class Region(models.Model):
    """An independent store's status. Its configuration is in the environment only."""

    class Status(models.TextChoices):
        ACTIVE = "active"
        READ_ONLY = "read-only"
        DRAINING = "draining"
        OFFLINE = "offline"
        STRUCK = "struck", "Struck: written off, its replicas are being removed"
        REMOVED = "removed"

    # Whose replicas count when it is decided how many an object has, and whose are read at all.
    COUNTED = (Status.ACTIVE, Status.READ_ONLY)
    READABLE = (Status.ACTIVE, Status.READ_ONLY, Status.DRAINING)

    alias = models.SlugField(max_length=40, unique=True)
    place = models.CharField(max_length=100, blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.ACTIVE)
    priority = models.PositiveSmallIntegerField(default=0, help_text="Lower is asked first")
    # Drawn when the store is first used and written into it, so that an empty directory where a
    # drive should be mounted is not taken for the region.
    instance = models.CharField(max_length=32, blank=True, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    # Replicas that were read back before this moment have to be read again before they count.
    trusted_from = models.DateTimeField(null=True, blank=True, editable=False)
    # Health, as the workers last saw it; neither stops the region from being asked, last.
    away_since = models.DateTimeField(null=True, blank=True, editable=False)
    full_since = models.DateTimeField(null=True, blank=True, editable=False)
    # What there was when the drain began, to show its progress.
    drain_began_at = models.DateTimeField(null=True, blank=True, editable=False)
    drain_objects = models.BigIntegerField(default=0, editable=False)
    drain_bytes = models.BigIntegerField(default=0, editable=False)
    drain_cursor = models.BigIntegerField(default=0, editable=False)
    # Up to which entry of the journal it has notes of.
    journal_cursor = models.BigIntegerField(default=0, editable=False)

    objects = RegionQuerySet.as_manager()

    class Meta:
        ordering = ["priority", "alias"]

    def __str__(self) -> str:
        return self.alias

    @property
    def health(self) -> str:
        """How the workers last saw it: well, full or away."""
        if self.away_since is not None:
            return "away"
        return "full" if self.full_since is not None else "well"

    def note_full(self) -> None:
        """Record that its store is full, and have other regions found for its replicas."""
        if Region.objects.filter(pk=self.pk, full_since=None).update(full_since=clock.now()):
            log.error("region %s is full", self.alias)
            Refill.request()


class Refill(models.Model):
    """A backfill: a walk over objects that queues the replicas they lack.

    Of the whole service (scope "all"), or of the account whose identifier the scope is, after its
    plan has changed. A new reason begins it anew.
    """

    EVERYTHING = "all"

    scope = models.CharField(max_length=20, unique=True)
    cursor = models.BigIntegerField(default=0, help_text="The last object that was checked")
    round = models.BigIntegerField(default=0, help_text="How often it was begun")
    ended_at = models.DateTimeField(null=True, blank=True)
    seen_event = models.BigIntegerField(default=0, help_text="Plan changes were noticed up to it")

    def __str__(self) -> str:
        return f"refill of {self.scope} at {self.cursor}"

    @classmethod
    def request(cls, scope: str = EVERYTHING) -> None:
        """Begin a walk, or begin it anew: over everything, or over one account's objects."""
        cls.objects.get_or_create(scope=scope)
        cls.objects.filter(scope=scope).update(cursor=0, ended_at=None, round=F("round") + 1)
