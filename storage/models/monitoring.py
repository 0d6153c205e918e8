"""Tables of monitoring: alarms, canary runs, channels, notices, heartbeats."""

from django.db import models

from backup_service import clock
from storage.models.regions import Region
from storage.models.vaults import Vault


class Alarm(models.Model):
    """Something that is wrong at present. The row goes when it is over."""

    key = models.CharField(max_length=80, unique=True)
    text = models.CharField(max_length=500)
    advice = models.CharField(max_length=500)
    since = models.DateTimeField(default=clock.now)
    mailed_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.key


class CanaryRun(models.Model):
    """One round trip of the service's own small vault through one region."""

    region = models.ForeignKey(Region, models.PROTECT, related_name="canary_runs")
    at = models.DateTimeField(default=clock.now)
    went_well = models.BooleanField()
    seconds = models.FloatField(help_text="To store, read back and compare")
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        indexes = [models.Index(fields=["region", "-at"], name="canary_latest")]

    def __str__(self) -> str:
        return f"{self.region_id} at {self.at}: {'well' if self.went_well else self.error}"


class Channel(models.Model):
    """A channel by which people are notified, and whether it works."""

    name = models.CharField(max_length=20, unique=True)
    worked_at = models.DateTimeField(null=True, blank=True)
    probed_at = models.DateTimeField(null=True, blank=True, help_text="When it was last tried")
    failed_at = models.DateTimeField(null=True, blank=True, help_text="Empty while it works")
    error = models.CharField(max_length=300, blank=True)

    def __str__(self) -> str:
        return f"{self.name}: {self.error or 'works'}"


class LossNotice(models.Model):
    """A notice that a vault lost objects, and when its people were last mailed."""

    vault = models.OneToOneField(Vault, models.PROTECT, related_name="loss_notice")
    is_due = models.BooleanField(default=True)
    mailed_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"losses of {self.vault_id}, told {self.mailed_at or 'never'}"


class Heartbeat(models.Model):
    """When a part of the service last reported that it is alive."""

    name = models.CharField(max_length=40, unique=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} at {self.at}"

    @classmethod
    def beat(cls, name: str) -> None:
        """Record that the part called `name` is alive."""
        cls.objects.update_or_create(name=name, defaults={"at": clock.now()})
