"""Tables of what accounts use of their quota, and what is reserved of it for uploads."""

from django.db import models

from accounts.models import Account


class Usage(models.Model):
    """How many bytes an account uses; each object counts at least a floor (`vaults/quota.py`).

    Replicas in further regions are free.
    """

    account = models.OneToOneField(Account, models.PROTECT, related_name="usage")
    live_bytes = models.BigIntegerField(default=0)
    tombstoned_bytes = models.BigIntegerField(default=0)
    reserved_bytes = models.BigIntegerField(default=0)
    # Locks are no part of what is charged; they are bounded.
    locks_held = models.IntegerField(default=0)
    lock_bytes = models.IntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="usage_never_negative",
                condition=models.Q(
                    live_bytes__gte=0, tombstoned_bytes__gte=0, reserved_bytes__gte=0
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"usage of {self.account_id}"

    def charged(self, quota: int) -> int:
        """Return what counts against `quota` (bytes): tombstones are free up to its size."""
        return self.live_bytes + self.reserved_bytes + max(0, self.tombstoned_bytes - quota)


class Reservation(models.Model):
    """Quota reserved for an upload in flight, or for what it may have left behind.

    The row's deletion is its one settlement.
    """

    account = models.ForeignKey(Account, models.PROTECT, related_name="reservations")
    attempt = models.OneToOneField("storage.Attempt", models.PROTECT, related_name="reservation")
    size = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.size} bytes for attempt {self.attempt_id}"
