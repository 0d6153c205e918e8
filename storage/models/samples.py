"""Tables of what accounts and vaults held on each day, for charts and forecasts. Bounded."""

from django.db import models

from accounts.models import Account
from storage.models.vaults import Vault


class UsageSample(models.Model):
    """What an account held when a day (UTC) was sampled. In bytes, as in `Usage`."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="usage_samples")
    day = models.DateField()
    live_bytes = models.BigIntegerField()
    tombstoned_bytes = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "day"], name="usage_sample_of_day"),
        ]
        indexes = [models.Index(fields=["day"], name="usage_sample_age")]

    def __str__(self) -> str:
        return f"{self.account_id} on {self.day}"

    def charged(self, quota: int) -> int:
        """Return what counted against `quota` (bytes), uploads in flight aside."""
        return self.live_bytes + max(0, self.tombstoned_bytes - quota)


class VaultSample(models.Model):
    """How many bytes a vault held when a day (UTC) was sampled: those of its live objects."""

    vault = models.ForeignKey(Vault, models.CASCADE, related_name="samples")
    day = models.DateField()
    bytes = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["vault", "day"], name="vault_sample_of_day"),
        ]
        indexes = [models.Index(fields=["day"], name="vault_sample_age")]

    def __str__(self) -> str:
        return f"{self.vault_id} on {self.day}"
