"""Tables of what people were told last, so that they are told again in time and not before."""

from django.db import models

from accounts.models import Account, Membership
from storage.models.vaults import Vault


class LateNotice(models.Model):
    """That a vault's people were told that its backups do not come. It goes with a backup."""

    vault = models.OneToOneField(Vault, models.CASCADE, related_name="late_notice")
    since = models.DateTimeField(help_text="From when on it was late")
    told_at = models.DateTimeField()
    count = models.PositiveIntegerField(default=1)

    class Meta:
        indexes = [models.Index(fields=["told_at"], name="late_notice_due")]

    def __str__(self) -> str:
        return f"{self.vault_id} late since {self.since}"


class FailureNotice(models.Model):
    """When a vault's people were last told that a backup was refused, or failed."""

    vault = models.OneToOneField(Vault, models.CASCADE, related_name="failure_notice")
    told_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.vault_id} told of a failure at {self.told_at}"


class QuotaNotice(models.Model):
    """Up to which level of its plan an account was told that it is full."""

    account = models.OneToOneField(Account, models.CASCADE, related_name="quota_notice")
    level = models.PositiveSmallIntegerField(help_text="In per cent")
    told_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.account_id} told of {self.level} %"


class Report(models.Model):
    """When a member got the last report."""

    membership = models.OneToOneField(Membership, models.CASCADE, related_name="report")
    sent_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"to {self.membership_id} at {self.sent_at}"
