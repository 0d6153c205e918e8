"""Computers with an agent."""

from django.db import models

from accounts.ids import new_public_id
from accounts.models.accounts import Account, Membership
from backup_service import clock


class Device(models.Model):
    """A computer with an agent."""

    account = models.ForeignKey(Account, models.PROTECT, related_name="devices")
    public_id = models.CharField(max_length=20, unique=True, default=new_public_id, editable=False)
    name = models.CharField(max_length=100)
    # Whose it is; nobody's in particular when that member has left.
    member = models.ForeignKey(
        Membership, models.SET_NULL, null=True, blank=True, related_name="devices"
    )
    created_at = models.DateTimeField(default=clock.now, editable=False)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "name"],
                condition=models.Q(retired_at=None),
                name="device_name_in_account",
            ),
        ]

    def __str__(self) -> str:
        return self.name
