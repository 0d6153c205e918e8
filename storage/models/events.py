"""Table of what happened in a vault: backups, refusals, removals. Bounded, unlike the audit log."""

from typing import Self

from django.db import models

from storage.models.vaults import Credential, Vault


class VaultEventQuerySet(models.QuerySet["VaultEvent"]):
    """Rules about events: which removals are going on, and which are those of everything."""

    def open_removals(self) -> Self:
        """Removals whose run may be going on."""
        return self.filter(kind__in=VaultEvent.REMOVALS, closed_at=None)


class VaultEvent(models.Model):
    """A backup, a refusal or a removal. What comes again and again is one row with a count."""

    class Kind(models.TextChoices):
        RUN = "run", "A backup was completed"
        FAILED = "failed", "A backup failed, as its program reports"
        REFUSAL = "refusal", "A request was refused"
        REMOVAL = "removal", "Something was removed"
        WIPE = "wipe", "Everything was removed, or all snapshots but one"
        UNDELETE = "undelete", "Something that was removed came back"

    REMOVALS = (Kind.REMOVAL, Kind.WIPE)

    vault = models.ForeignKey(Vault, models.PROTECT, related_name="events")
    credential = models.ForeignKey(Credential, models.PROTECT, null=True, related_name="+")
    kind = models.CharField(max_length=10, choices=Kind)
    # What the next one of its like is counted with; empty: with nothing.
    key = models.CharField(max_length=120, blank=True)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    # How often; of a removal: how many objects.
    count = models.BigIntegerField(default=1)
    status = models.PositiveSmallIntegerField(null=True, help_text="The answer's HTTP status")
    code = models.CharField(max_length=40, blank=True, help_text="The reason, for programs")
    text = models.CharField(max_length=500, blank=True)
    # Of a run its snapshot's number in the vault's count, of a removal that of its first tombstone.
    sequence = models.BigIntegerField(null=True)
    snapshot = models.CharField(max_length=64, blank=True, help_text="The name of a run's snapshot")
    snapshots = models.BigIntegerField(null=True, help_text="How many came or went")
    bytes = models.BigIntegerField(null=True, help_text="Added, removed or brought back")
    seconds = models.FloatField(null=True, help_text="How long the run took")
    unread = models.BigIntegerField(null=True, help_text="Paths that could not be read")
    closed_at = models.DateTimeField(null=True, help_text="When a removal's run was over")

    objects = VaultEventQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["vault", "key"],
                name="event_of_its_like",
                condition=~models.Q(key=""),
            ),
        ]
        indexes = [
            models.Index(fields=["vault", "-last_at", "-id"], name="event_newest"),
            models.Index(fields=["vault", "kind", "-id"], name="event_of_kind"),
            models.Index(
                fields=["last_at"],
                name="event_open_removal",
                condition=models.Q(kind__in=["removal", "wipe"], closed_at=None),
            ),
            models.Index(
                fields=["-last_at"],
                name="event_refused_lately",
                condition=models.Q(kind="refusal"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} in {self.vault_id} at {self.last_at}"
