"""Table of undeletes: what is being brought back of what was removed, and how far that is."""

from django.conf import settings
from django.db import models

from backup_service import clock
from storage.models.vaults import Credential, Vault


class Undelete(models.Model):
    """A wish to bring back what was removed from a vault, and its work: leased, in batches."""

    vault = models.ForeignKey(Vault, models.PROTECT, related_name="undeletes")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    actor_label = models.CharField(max_length=254)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    # What is wanted: as it was at the moment; or these snapshots, as they were at it or before
    # these steps of the vault's count; or what a credential removed from the moment on.
    moment = models.DateTimeField(null=True)
    snapshots = models.JSONField(default=list)
    sequences = models.JSONField(default=list)
    credential = models.ForeignKey(Credential, models.PROTECT, null=True, related_name="+")
    # What was removed after this moment stays removed.
    removed_before = models.DateTimeField()
    # The work. `kind` and `cursor`: which type is gone through, and the last object looked at.
    kind = models.PositiveSmallIntegerField(default=0)
    cursor = models.BigIntegerField(default=0)
    lease_token = models.CharField(max_length=32, blank=True)
    lease_until = models.DateTimeField(null=True)
    expected = models.BigIntegerField(default=0, help_text="Objects, when it was asked for")
    revived = models.BigIntegerField(default=0, help_text="Objects that came back")
    revived_snapshots = models.BigIntegerField(default=0)
    revived_bytes = models.BigIntegerField(default=0)
    lost = models.BigIntegerField(default=0, help_text="Came back without any good copy")
    purged = models.BigIntegerField(default=0, help_text="Were gone for good before")
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["vault"],
                condition=models.Q(ended_at=None),
                name="one_undelete_at_a_time",
            ),
        ]
        indexes = [
            models.Index(
                fields=["created_at"], name="undelete_work", condition=models.Q(ended_at=None)
            ),
        ]

    def __str__(self) -> str:
        return f"undelete of {self.vault_id}: {self.revived} of {self.expected}"

    @property
    def is_over(self) -> bool:
        """Whether all that could come back is back."""
        return self.ended_at is not None
