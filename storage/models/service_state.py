"""Tables of the service's own state, apart from any vault."""

import uuid

from django.db import models

from storage.models.regions import Region


def new_identity() -> str:
    """Return 32 hex digits that no catalogue has had before."""
    return uuid.uuid4().hex


class Runner(models.Model):
    """A job that one worker runs at a time: free, or leased until a moment."""

    name = models.CharField(max_length=40, unique=True)
    token = models.CharField(max_length=32, blank=True)
    until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.name} until {self.until}" if self.token else f"{self.name}, free"


class Catalogue(models.Model):
    """This database, of which there is one row: how far it is, and whether it may be trusted."""

    class Doubt(models.TextChoices):
        NONE = "", "None"
        RESTORED = "restored", "Older than what a region has seen of it"
        CLOCK = "clock", "The clock has jumped"

    identity = models.CharField(max_length=32, default=new_identity, editable=False)
    # Grows as long as the service lives, and is written into every region.
    mark = models.BigIntegerField(default=0)
    seen_at = models.DateTimeField(null=True, help_text="The last moment that was seen to pass")
    doubt = models.CharField(max_length=10, choices=Doubt, default=Doubt.NONE, blank=True)
    doubt_text = models.CharField(max_length=300, blank=True)
    doubted_at = models.DateTimeField(null=True)
    # When a purge last came to its bound of a day.
    capped_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"catalogue {self.identity[:8]} at {self.mark}"


class ClockJump(models.Model):
    """A stretch of time that nobody observed: the clock was set ahead, or nothing ran."""

    from_at = models.DateTimeField()
    to_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"from {self.from_at} to {self.to_at}"


class Survey(models.Model):
    """A walk through everything that lies in a region, to find what no row knows."""

    region = models.OneToOneField(Region, models.CASCADE, related_name="survey")
    cursor = models.CharField(
        max_length=200, blank=True, help_text="The last vault checked, or the last key in one"
    )
    ended_at = models.DateTimeField(null=True)
    strange = models.IntegerField(default=0, help_text="Keys that nobody knows, when it ended")
    strange_so_far = models.IntegerField(default=0)

    def __str__(self) -> str:
        return f"survey of {self.region_id} at {self.cursor or 'its beginning'}"
