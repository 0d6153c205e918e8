"""Tables of upload attempts and replicas; those still to be made are the work list."""

import uuid
from collections.abc import Sequence
from typing import Self

from django.db import models
from django.db.models.functions import Coalesce

from backup_service import clock
from storage.models.objects import StoredObject
from storage.models.regions import Region
from storage.models.vaults import Credential, Vault
from storage.object_names import ObjectName, ObjectType, StoreKey


def new_attempt_id() -> str:
    """Return 32 hex digits that no attempt has had before."""
    return uuid.uuid4().hex


class Attempt(models.Model):
    """One upload of an object's bytes in one region, under a store key of its own."""

    class State(models.TextChoices):
        WRITING = "writing"
        STORED = "stored", "Stored: a replica points here"
        DOOMED = "doomed", "Doomed: bytes are to be removed"
        QUARANTINED = "quarantined", "Quarantined: damaged bytes, kept to look at"

    id = models.CharField(primary_key=True, max_length=32, default=new_attempt_id, editable=False)
    vault = models.ForeignKey(Vault, models.PROTECT, related_name="attempts")
    type = models.CharField(max_length=10, choices=StoredObject.Type)
    name = models.CharField(max_length=64)
    region = models.ForeignKey(Region, models.PROTECT, related_name="attempts")
    state = models.CharField(max_length=12, choices=State, default=State.WRITING)
    credential = models.ForeignKey(Credential, models.PROTECT, null=True, related_name="+")
    # Of a direct transfer what was announced; of an upload through the gateway known at its end.
    size = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    # WRITING: given up after this moment. DOOMED: removed after it, when no writer can still be
    # about to publish.
    due_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(
                fields=["state", "due_at"],
                name="attempt_due",
                condition=~models.Q(state="stored"),  # SQLite cannot tell that of `IN`
            ),
            models.Index(fields=["vault", "type", "name"], name="attempt_object"),
            models.Index(
                fields=["vault", "due_at"],
                name="attempt_open",
                condition=models.Q(state__in=["writing", "doomed"]),
            ),
            models.Index(
                fields=["region", "state"],
                name="attempt_unstored",
                condition=~models.Q(state="stored"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type}/{self.name[:8]} in {self.region_id} ({self.state})"

    @property
    def key(self) -> StoreKey:
        """Where the bytes lie in the region. Needs `vault` loaded."""
        return StoreKey(self.vault.public_id, ObjectName(ObjectType(self.type), self.name), self.id)


class SweptAttempt(models.Model):
    """An attempt whose bytes were removed, and whose key is never used again.

    What arrives under it all the same may be removed once more.
    """

    id = models.CharField(primary_key=True, max_length=32, editable=False)
    at = models.DateTimeField(default=clock.now, db_index=True)

    def __str__(self) -> str:
        return f"{self.id}, swept {self.at}"

    @staticmethod
    def note(attempts: Sequence[str]) -> None:
        """Put on record that attempts (by primary key) are swept, in the caller's transaction."""
        swept = [SweptAttempt(id=pk) for pk in attempts]
        SweptAttempt.objects.bulk_create(swept, ignore_conflicts=True)


class ReplicaQuerySet(models.QuerySet["Replica"]):
    """Rules about replicas: which are stored, readable, counted, verified, or work to do."""

    def stored(self) -> Self:
        """Replicas that are there, in whatever region."""
        return self.filter(state=Replica.State.STORED)

    def readable(self) -> Self:
        """Replicas that are there, in regions that are read."""
        return self.stored().filter(region__status__in=Region.READABLE)

    def counted(self) -> Self:
        """Replicas that are there, in regions that are to stay."""
        return self.stored().filter(region__status__in=Region.COUNTED)

    def verified(self) -> Self:
        """Counted replicas whose bytes were read back, in their region's present life."""
        return self.counted().filter(
            models.Q(region__trusted_from=None)
            | models.Q(verified_at__gte=models.F("region__trusted_from")),
            verified_at__isnull=False,
        )

    def unverified(self) -> Self:
        """Replicas that are still to be read back for the first time in their region's life."""
        return self.filter(Replica.UNVERIFIED)

    def waiting(self) -> Self:
        """Replicas that are still to be made, or to be made again."""
        return self.filter(state__in=Replica.WORK)

    def parked(self) -> Self:
        """Replicas that were given up after too many tries."""
        return self.exclude(parked_at=None)

    def feasible(self) -> Self:
        """Replicas of objects that are to stay and of which there may be one to copy from."""
        removed = models.Q(object__state=StoredObject.State.TOMBSTONED)
        there = self.model.objects.filter(object=models.OuterRef("object")).stored()
        nowhere = [StoredObject.State.PURGING, StoredObject.State.LOST]
        return self.exclude(object__state__in=nowhere).exclude(removed & ~models.Exists(there))

    def per_object(self) -> Coalesce:
        """How many of these replicas an object has, to annotate rows of objects with."""
        of_object = self.filter(object=models.OuterRef("pk")).order_by().values("object")
        number = of_object.annotate(n=models.Count("pk")).values("n")
        return Coalesce(models.Subquery(number, output_field=models.IntegerField()), 0)


class Replica(models.Model):
    """An object's bytes in one region: there, still to be made, or damaged."""

    class State(models.TextChoices):
        PENDING = "pending", "Pending: still to be made"
        STORED = "stored"
        CORRUPT = "corrupt", "Corrupt: bytes differ"
        MISSING = "missing", "Missing: bytes are gone"

    WORK = (State.PENDING, State.CORRUPT, State.MISSING)  # still to be made, or made again
    DAMAGED = (State.CORRUPT, State.MISSING)
    # Never read back, or not since the region came back from where nobody could watch it.
    UNVERIFIED = models.Q(verified_at=None) | models.Q(
        verified_at__lt=models.F("region__trusted_from")
    )
    MIN_COPIES = 2  # verified, in independent regions; fewer protect nothing

    object = models.ForeignKey(StoredObject, models.PROTECT, related_name="replicas")
    region = models.ForeignKey(Region, models.PROTECT, related_name="replicas")
    attempt = models.OneToOneField(
        Attempt, models.PROTECT, null=True, blank=True, related_name="replica"
    )
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    # The order of commits, so that a vault's replicas follow as its objects came.
    sequence = models.BigIntegerField()
    stored_at = models.DateTimeField(null=True, blank=True)
    verified_at = models.DateTimeField(null=True, blank=True)
    # The work: due when not parked, not leased, and next_attempt_at has come.
    since = models.DateTimeField(default=clock.now, help_text="When the work began to wait")
    lease_token = models.CharField(max_length=32, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(default=clock.now)
    parked_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=300, blank=True)

    objects = ReplicaQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["object", "region"], name="one_replica_a_region"),
            models.CheckConstraint(
                name="stored_replica_has_attempt",
                condition=~models.Q(state="stored") | models.Q(attempt__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                name="replica_work",
                condition=models.Q(state__in=["pending", "corrupt", "missing"]),
            ),
            models.Index(
                fields=["region", "verified_at"],
                name="replica_verified",
                condition=models.Q(state="stored"),
            ),
            models.Index(fields=["region", "state"], name="replica_status"),
        ]

    def __str__(self) -> str:
        return f"replica of {self.object_id} in {self.region_id} ({self.state})"
