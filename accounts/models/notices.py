"""Tables of notices to an account's people, and of how each is delivered."""

from typing import Self

from django.db import models
from django.utils.translation import gettext_noop

from accounts.ids import new_public_id
from accounts.models.accounts import Account, Membership
from accounts.models.devices import Device
from accounts.topics import ReportRhythm, Topic
from backup_service import clock


class Notice(models.Model):
    """Something that an account's people were told. Rows are only ever added."""

    account = models.ForeignKey(Account, models.PROTECT, related_name="notices")
    # The computer that it is about, for members who see only their own.
    device = models.ForeignKey(Device, models.PROTECT, null=True, related_name="+")
    kind = models.CharField(max_length=60)
    key = models.CharField(max_length=160, help_text="What happened; it is told once")
    values = models.JSONField(default=dict, help_text="What its letter is made of; no secrets")
    at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "key"], name="notice_told_once"),
        ]
        indexes = [models.Index(fields=["account", "-at"], name="notice_latest")]

    def __str__(self) -> str:
        return f"{self.kind} to {self.account_id}"


class MailPreference(models.Model):
    """What a member wants to be mailed about. Without a row, the role decides."""

    membership = models.OneToOneField(Membership, models.CASCADE, related_name="mail_preference")
    backups = models.BooleanField(default=True)
    billing = models.BooleanField(default=True)
    reports = models.CharField(max_length=10, choices=ReportRhythm, default=ReportRhythm.MONTHLY)

    def __str__(self) -> str:
        return f"mails to {self.membership_id}"


class Endpoint(models.Model):
    """A system of the customer's that gets an account's notices."""

    class Kind(models.TextChoices):
        WEBHOOK = "webhook", gettext_noop("Webhook: signed JSON")
        PUSH = "push", gettext_noop("Push: plain text to an address like ntfy’s")  # noqa: RUF001

    account = models.ForeignKey(Account, models.PROTECT, related_name="endpoints")
    public_id = models.CharField(max_length=20, unique=True, default=new_public_id, editable=False)
    kind = models.CharField(max_length=10, choices=Kind)
    name = models.CharField(max_length=100)
    url = models.CharField(max_length=500)
    topics = models.JSONField(default=list, help_text="Which topics it gets")
    key_version = models.PositiveIntegerField(default=1, help_text="Of the key it is signed with")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    removed_at = models.DateTimeField(null=True, blank=True)
    worked_at = models.DateTimeField(null=True, blank=True)
    failing_since = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        indexes = [models.Index(fields=["account", "removed_at"], name="endpoint_in_use")]

    def __str__(self) -> str:
        return self.name

    def wants(self, topic: Topic) -> bool:
        """Whether it gets notices of a topic."""
        return topic.value in self.topics


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    """Rules about deliveries: which are due."""

    def waiting(self) -> Self:
        """Deliveries that are still to be made."""
        return self.filter(state=Delivery.State.WAITING)


class Delivery(models.Model):
    """A notice on its way to one member or endpoint; the list of what is to be sent."""

    class State(models.TextChoices):
        WAITING = "waiting"
        SENT = "sent"
        FAILED = "failed", gettext_noop("Failed: given up")
        DROPPED = "dropped", gettext_noop("Dropped: nobody to send it to any more")

    notice = models.ForeignKey(Notice, models.PROTECT, related_name="deliveries")
    account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    membership = models.ForeignKey(Membership, models.SET_NULL, null=True, related_name="+")
    endpoint = models.ForeignKey(Endpoint, models.PROTECT, null=True, related_name="deliveries")
    address = models.CharField(max_length=254, blank=True, help_text="Where a mail went")
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(default=clock.now)
    lease = models.CharField(max_length=32, blank=True, editable=False)
    sent_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(
                fields=["notice", "membership"],
                condition=models.Q(membership__isnull=False),
                name="delivery_to_member",
            ),
            models.UniqueConstraint(
                fields=["notice", "endpoint"],
                condition=models.Q(endpoint__isnull=False),
                name="delivery_to_endpoint",
            ),
        ]
        indexes = [
            models.Index(
                fields=["account", "next_attempt_at"],
                name="delivery_due",
                condition=models.Q(state="waiting"),
            ),
            models.Index(
                fields=["next_attempt_at"],
                name="delivery_failed",
                condition=models.Q(state="failed"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.notice_id} to {self.address or self.endpoint_id}"


class BouncingAddress(models.Model):
    """An address whose mail came back, or whose owner called our mail spam."""

    class Reason(models.TextChoices):
        BOUNCED = "bounced", gettext_noop("Bounced: mail to it came back")
        COMPLAINED = "complained", gettext_noop("Complained: called it spam")

    email = models.CharField(max_length=254, unique=True)
    reason = models.CharField(max_length=12, choices=Reason)
    detail = models.CharField(max_length=300, blank=True)
    count = models.PositiveIntegerField(default=0, help_text="Bounces since mail last arrived")
    suppressed_at = models.DateTimeField(
        null=True, blank=True, help_text="Since when nothing is sent to it"
    )

    class Meta:
        verbose_name_plural = "bouncing addresses"

    def __str__(self) -> str:
        return f"{self.email}: {self.reason}"
