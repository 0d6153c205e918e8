"""Tables of plans, of which account is on which, of what staff granted, and of Stripe's events."""

from datetime import datetime
from typing import ClassVar

from django.db import models

from accounts.models import Account, User
from backup_service import clock
from billing.entitlements import Extra, Terms


class Interval(models.TextChoices):
    """How often a plan is paid."""

    MONTH = "month", "monthly"
    YEAR = "year", "yearly"


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

    @property
    def terms(self) -> Terms:
        """What the plan promises, for the policy."""
        return Terms(
            quota=self.quota_bytes,
            copies=self.copies,
            device_limit=self.device_limit,
            rooms=self.rooms,
        )

    def cents(self, interval: str) -> int:
        """Return the price for a month or a year, in cents; 0 where it is not sold."""
        return self.year_cents if interval == Interval.YEAR else self.month_cents

    def lookup_key(self, interval: str) -> str:
        """Return what the price is called with the payment service."""
        return f"nightsafe-{self.slug}-{interval}"


class Subscription(models.Model):
    """Which plan an account is on, and how its payments stand.

    What begins with `stripe_`, and what follows it, is what Stripe said at `synced_at`.
    """

    account = models.OneToOneField(Account, models.PROTECT, related_name="subscription")
    plan = models.ForeignKey(Plan, models.PROTECT, related_name="subscriptions")
    started_at = models.DateTimeField(default=clock.now)
    plan_since = models.DateTimeField(default=clock.now)
    unpaid_since = models.DateTimeField(null=True, blank=True)
    deletion_announced_at = models.DateTimeField(null=True, blank=True)

    stripe_customer = models.CharField(max_length=255, blank=True)
    # Empty: the plan is free, or was given by staff.
    stripe_subscription = models.CharField(max_length=255, blank=True)
    stripe_status = models.CharField(max_length=20, blank=True)
    interval = models.CharField(max_length=5, choices=Interval, blank=True)
    period_ends_at = models.DateTimeField(null=True, blank=True)
    cancels_at_period_end = models.BooleanField(default=False)
    scheduled_plan = models.ForeignKey(Plan, models.PROTECT, null=True, related_name="scheduled")
    scheduled_interval = models.CharField(max_length=5, choices=Interval, blank=True)
    retry_at = models.DateTimeField(null=True, blank=True)
    is_disputed = models.BooleanField(default=False)
    synced_at = models.DateTimeField(null=True, blank=True)
    next_sync_at = models.DateTimeField(default=clock.now)
    # How many times a payment page was asked for: the newest one is the only one that stays open.
    checkouts = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["stripe_customer"],
                condition=~models.Q(stripe_customer=""),
                name="one_account_for_a_customer",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_sync_at"],
                condition=~models.Q(stripe_customer=""),
                name="subscription_sync_due",
            ),
            models.Index(
                fields=["unpaid_since"],
                condition=models.Q(unpaid_since__isnull=False),
                name="subscription_unpaid",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account} on {self.plan}"

    @property
    def is_paid_for(self) -> bool:
        """Whether the plan comes from a subscription with Stripe that has not ended."""
        return bool(self.stripe_subscription) and self.stripe_status in LIVE


LIVE = frozenset({"active", "past_due", "unpaid", "trialing"})
"""What a subscription with Stripe is called while it goes on."""


class GrantQuerySet(models.QuerySet["Grant"]):
    """Reads of grants."""

    def of(self, account: Account) -> "GrantQuerySet":
        """Return an account's grants, the newest first."""
        return self.filter(account=account).order_by("-starts_at", "-pk")

    def holding(self, now: datetime) -> "GrantQuerySet":
        """Return those that count at `now`."""
        return self.filter(starts_at__lte=now, ends_at__gt=now)


class Grant(models.Model):
    """What staff gave an account for a while: more room, more days before each step of dunning."""

    account = models.ForeignKey(Account, models.PROTECT, related_name="grants")
    quota_bytes = models.BigIntegerField(default=0)
    grace_days = models.PositiveSmallIntegerField(default=0)
    starts_at = models.DateTimeField(default=clock.now)
    ends_at = models.DateTimeField()
    reason = models.CharField(max_length=200)
    granted_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    granted_label = models.CharField(max_length=254)

    objects: ClassVar[models.Manager["Grant"]] = GrantQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["account", "ends_at"])]
        constraints = [
            models.CheckConstraint(
                name="grant_gives_something",
                condition=models.Q(quota_bytes__gt=0) | models.Q(grace_days__gt=0),
            ),
            models.CheckConstraint(
                name="grant_takes_nothing", condition=models.Q(quota_bytes__gte=0)
            ),
            models.CheckConstraint(
                name="grant_ends_after_it_starts",
                condition=models.Q(ends_at__gt=models.F("starts_at")),
            ),
        ]

    def __str__(self) -> str:
        return f"grant to {self.account_id} until {self.ends_at:%Y-%m-%d}"

    @property
    def extra(self) -> Extra:
        """The grant as the policy takes it."""
        return Extra(self.quota_bytes, self.grace_days, self.starts_at, self.ends_at)


class StripeEvent(models.Model):
    """An event that Stripe sent, as it came, and what became of it."""

    class State(models.TextChoices):
        RECEIVED = "received"
        DONE = "done"
        PARKED = "parked", "Parked: failed too often"

    event_id = models.CharField(max_length=255, unique=True)
    type = models.CharField(max_length=100)
    customer = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField()
    received_at = models.DateTimeField(default=clock.now)
    body = models.BinaryField()
    state = models.CharField(max_length=10, choices=State, default=State.RECEIVED)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(default=clock.now)
    lease = models.CharField(max_length=32, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=500, blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                condition=models.Q(state="received"),
                name="stripe_event_due",
            ),
            models.Index(fields=["received_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"
