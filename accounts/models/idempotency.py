"""The table of requests that are not to be done twice."""

from django.db import models

from accounts.models.accounts import Account
from backup_service import clock


class IdempotentRequest(models.Model):
    """A request that a program named, and how it was answered. Kept for a day."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="+")
    # Of its token and the key that was sent: SHA-256, hexadecimal.
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of method, path and body")
    status = models.PositiveSmallIntegerField(null=True, help_text="Empty while it is under way")
    body = models.JSONField(null=True, help_text="The answer, without secrets")
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "key"], name="idempotency_key_of_account"),
        ]
        indexes = [models.Index(fields=["created_at"], name="idempotency_age")]

    def __str__(self) -> str:
        return f"{self.account_id}: {self.status or 'under way'}"
