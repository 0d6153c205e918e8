"""Tables of plans, and of which account is on which."""

from django.db import models

from accounts.models import Account
from backup_service import clock


class Plan(models.Model):
    """A plan on offer. Bytes are decimal: 1 GB is 10^9."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=50)
    quota_bytes = models.BigIntegerField()
    device_limit = models.PositiveIntegerField(null=True, blank=True, help_text="Empty: no limit")
    copies = models.PositiveSmallIntegerField(default=2)
    month_cents = models.PositiveIntegerField(default=0)
    year_cents = models.PositiveIntegerField(default=0)
    rooms = models.BooleanField(default=False)
    on_offer = models.BooleanField(default=True)
    rank = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["rank"]

    def __str__(self) -> str:
        return self.name


class Subscription(models.Model):
    """Which plan an account is on, and how its payments stand."""

    account = models.OneToOneField(Account, models.PROTECT, related_name="subscription")
    plan = models.ForeignKey(Plan, models.PROTECT, related_name="subscriptions")
    started_at = models.DateTimeField(default=clock.now)
    unpaid_since = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.account} on {self.plan}"
