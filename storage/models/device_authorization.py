"""The table of computers that ask to be connected."""

from datetime import datetime
from typing import Self

from django.db import models

from accounts.models import Account, User
from backup_service import clock
from storage.models.vaults import Credential, Vault


class DeviceAuthorizationQuerySet(models.QuerySet["DeviceAuthorization"]):
    """Rules about requests: which can still be decided."""

    def pending(self, now: datetime) -> Self:
        """Requests that nobody has decided and that have not run out."""
        return self.filter(state=DeviceAuthorization.State.PENDING, expires_at__gt=now)


class DeviceAuthorization(models.Model):
    """A computer's request to be connected, after RFC 8628. Codes are kept as hashes."""

    class State(models.TextChoices):
        PENDING = "pending"
        APPROVED = "approved"
        DENIED = "denied"

    device_code_sha256 = models.CharField(max_length=64, unique=True, editable=False)
    user_code_sha256 = models.CharField(max_length=64, unique=True, editable=False)
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    computer = models.CharField(max_length=100, help_text="What the computer calls itself")
    program = models.CharField(max_length=100, blank=True)
    address = models.GenericIPAddressField(null=True, help_text="From where it asked")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    expires_at = models.DateTimeField()
    polled_at = models.DateTimeField(null=True)
    # Seconds between two polls; grows for a program that asks too often.
    interval = models.PositiveSmallIntegerField()
    account = models.ForeignKey(Account, models.PROTECT, null=True, related_name="+")
    approved_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    vault = models.ForeignKey(Vault, models.PROTECT, null=True, related_name="+")
    scope = models.CharField(max_length=10, choices=Credential.Scope, blank=True)
    credential = models.ForeignKey(Credential, models.PROTECT, null=True, related_name="+")

    objects = DeviceAuthorizationQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["address", "created_at"], name="authorization_by_address"),
            models.Index(fields=["expires_at"], name="authorization_end"),
        ]

    def __str__(self) -> str:
        return f"{self.computer}: {self.state}"
