"""Tables of objects, their lifetimes, and the journal of removals."""

from collections.abc import Sequence
from typing import Self

from django.db import models

from backup_service import clock
from storage.models.vaults import Credential, Vault
from storage.object_names import ObjectName, ObjectType


class StoredObjectQuerySet(models.QuerySet["StoredObject"]):
    """Rules about objects: which are part of their vaults, and which are kept."""

    def named(self, vault: Vault, name: ObjectName) -> Self:
        """The vault's object of this name, in whatever state."""
        return self.filter(vault=vault, type=name.type, name=name.name)

    def live(self) -> Self:
        """Objects that clients see."""
        return self.filter(state=StoredObject.State.LIVE)

    def lost(self) -> Self:
        """Objects of which no good replica is left."""
        return self.filter(state=StoredObject.State.LOST)

    def current(self) -> Self:
        """Objects that are part of their vaults, lost ones too; they count as live bytes."""
        return self.filter(state__in=StoredObject.CURRENT)

    def kept(self) -> Self:
        """Objects that are to have all their replicas: live ones, and removed ones in grace."""
        return self.filter(state__in=StoredObject.KEPT)

    def removed(self) -> Self:
        """Objects that somebody removed, and whose rows are still there."""
        return self.filter(state__in=StoredObject.REMOVED)


class StoredObject(models.Model):
    """One immutable encrypted file of a vault."""

    class Type(models.TextChoices):
        CONFIG = ObjectType.CONFIG.value
        KEY = ObjectType.KEY.value
        INDEX = ObjectType.INDEX.value
        SNAPSHOT = ObjectType.SNAPSHOT.value
        DATA = ObjectType.DATA.value

    class State(models.TextChoices):
        LIVE = "live"
        TOMBSTONED = "tombstoned", "Tombstoned: kept for the grace period"
        PURGING = "purging", "Purging: bytes are being removed"
        LOST = "lost", "Lost: no good replica is left"

    CURRENT = (State.LIVE, State.LOST)
    KEPT = (State.LIVE, State.TOMBSTONED)
    REMOVED = (State.TOMBSTONED, State.PURGING)

    vault = models.ForeignKey(Vault, models.PROTECT, related_name="stored_objects")
    type = models.CharField(max_length=10, choices=Type)
    name = models.CharField(max_length=64)
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    state = models.CharField(max_length=10, choices=State, default=State.LIVE)
    sequence = models.BigIntegerField(help_text="When it came, in the vault's count")
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(Credential, models.PROTECT, null=True, related_name="+")
    tombstoned_at = models.DateTimeField(null=True, blank=True)
    tombstoned_by = models.ForeignKey(Credential, models.PROTECT, null=True, related_name="+")

    objects = StoredObjectQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["vault", "type", "name"], name="object_name_in_vault"),
        ]
        indexes = [
            models.Index(fields=["vault", "type", "state"], name="object_listing"),
            models.Index(
                fields=["tombstoned_at"],
                name="object_grace",
                condition=models.Q(state__in=["tombstoned", "purging"]),
            ),
            models.Index(
                fields=["vault", "type", "id"],
                name="object_removed",
                condition=models.Q(state="tombstoned"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type}/{self.name[:8]}"

    @property
    def is_live(self) -> bool:
        """Whether it is part of its vault now."""
        return self.state == self.State.LIVE

    @property
    def object_name(self) -> ObjectName:
        """The checked name."""
        return ObjectName(ObjectType(self.type), self.name)


class Lifetime(models.Model):
    """A stretch of a vault's history in which an object was there: [from, to)."""

    object = models.ForeignKey(StoredObject, models.CASCADE, related_name="lifetimes")
    from_sequence = models.BigIntegerField()
    to_sequence = models.BigIntegerField(null=True)
    from_at = models.DateTimeField()
    to_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["object"],
                condition=models.Q(to_sequence=None),
                name="one_open_lifetime",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.object_id}: {self.from_sequence}..{self.to_sequence or ''}"


class JournalEntry(models.Model):
    """A removal, on record for as long as the service lives. Rows are only ever added."""

    class Kind(models.TextChoices):
        TOMBSTONE = "tombstone"
        UNDELETE = "undelete"
        PURGE = "purge"
        KEYS_DESTROYED = "keys-destroyed"

    kind = models.CharField(max_length=20, choices=Kind)
    vault = models.ForeignKey(Vault, models.PROTECT, related_name="journal")
    type = models.CharField(max_length=10)
    name = models.CharField(max_length=64)
    sequence = models.BigIntegerField()
    credential = models.ForeignKey(Credential, models.PROTECT, null=True, related_name="+")
    attempts = models.JSONField(default=list, help_text="Store keys that a purge removes")
    at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        indexes = [
            models.Index(fields=["vault", "type", "name"]),
            models.Index(fields=["vault", "sequence"], name="journal_of_vault"),
            models.Index(fields=["at"], name="journal_purges", condition=models.Q(kind="purge")),
        ]
        verbose_name_plural = "journal entries"

    def __str__(self) -> str:
        return f"{self.kind} {self.type}/{self.name[:8]}"

    @classmethod
    def note(
        cls,
        kind: "JournalEntry.Kind",
        obj: StoredObject,
        *,
        sequence: int,
        by: Credential | None = None,
        attempts: Sequence[str] = (),
    ) -> None:
        """Put on record what happened to an object at this step of its vault."""
        cls.objects.create(
            kind=kind,
            vault_id=obj.vault_id,
            type=obj.type,
            name=obj.name,
            sequence=sequence,
            credential=by,
            attempts=list(attempts),
        )
