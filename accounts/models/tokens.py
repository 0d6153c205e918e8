"""API tokens."""

from datetime import datetime

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_noop

from accounts.models.accounts import Account, Membership
from backup_service import clock


class ApiTokens(models.QuerySet["ApiToken"]):
    """Questions about tokens."""

    def usable(self, now: datetime) -> "ApiTokens":
        """Return those that open something now."""
        unexpired = Q(expires_at=None) | Q(expires_at__gt=now)
        return self.filter(unexpired, revoked_at=None, membership__isnull=False)


class ApiToken(models.Model):
    """A secret with which a program acts for a member. Only a hash of it is kept."""

    class Scope(models.TextChoices):
        READ = "read", gettext_noop("Read: sees, changes nothing")
        WRITE = (
            "write",
            gettext_noop("Write: sees and changes computers, vaults, members and settings"),
        )
        BILLING = "billing", gettext_noop("Billing: plan, payment and invoices")
        FULL = (
            "full",
            gettext_noop(
                "Full, for 30 days at most: all of that, and also deleting vaults, credentials "
                "that remove backups, changing keys, giving computers to members, the export, "
                "closing the account"
            ),
        )

    account = models.ForeignKey(Account, models.PROTECT, related_name="api_tokens")
    # Whose rights bound it; revoked when the seat ends.
    membership = models.ForeignKey(
        Membership, models.SET_NULL, null=True, related_name="api_tokens"
    )
    prefix = models.CharField(max_length=20, unique=True)
    digest = models.CharField(max_length=64)  # SHA-256 of the whole token, hexadecimal
    scope = models.CharField(max_length=10, choices=Scope)
    label = models.CharField(max_length=100)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ApiTokens.as_manager()

    def __str__(self) -> str:
        return f"{self.prefix} ({self.label})"

    def is_expired(self, now: datetime) -> bool:
        """Return whether its time is over."""
        return self.expires_at is not None and self.expires_at <= now
