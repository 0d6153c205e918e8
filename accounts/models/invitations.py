"""Invitations to a seat in an account."""

from datetime import datetime

from django.db import models

from accounts.models.accounts import Account, Membership
from accounts.models.people import User
from backup_service import clock


class Invitations(models.QuerySet["Invitation"]):
    """Questions about invitations."""

    def waiting(self, now: datetime) -> "Invitations":
        """Return those that can still be accepted."""
        return self.filter(accepted_at=None, revoked_at=None, expires_at__gt=now)


class Invitation(models.Model):
    """A seat that waits for whoever has an e-mail address. Only a hash of its token is kept."""

    account = models.ForeignKey(Account, models.PROTECT, related_name="invitations")
    email = models.EmailField(max_length=254)
    role = models.CharField(max_length=10, choices=Membership.Role)
    digest = models.CharField(max_length=64, unique=True)  # SHA-256 of the token, hexadecimal
    invited_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    accepted_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    revoked_at = models.DateTimeField(null=True)

    objects = Invitations.as_manager()

    class Meta:
        indexes = [models.Index(fields=["account", "-created_at"], name="invitation_of_account")]

    def __str__(self) -> str:
        return f"{self.email} into {self.account} as {self.role}"
