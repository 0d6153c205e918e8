"""Tables of regions, vaults, credentials, locks and usage."""

import logging
from datetime import datetime

from django.db import models
from django.db.models import F

from accounts.ids import new_public_id
from accounts.models import Account, Device
from backup_service import clock

log = logging.getLogger(__name__)


class Region(models.Model):
    """An independent store's status. Its configuration is in the environment only."""

    class Status(models.TextChoices):
        ACTIVE = "active"
        READ_ONLY = "read-only"
        DRAINING = "draining"
        OFFLINE = "offline"
        STRUCK = "struck", "Struck: lost, its copies are being taken off the rows"
        REMOVED = "removed"

    # Whose copies count when it is decided how many an object has, and whose are read at all.
    COUNTED = (Status.ACTIVE, Status.READ_ONLY)
    READABLE = (Status.ACTIVE, Status.READ_ONLY, Status.DRAINING)

    alias = models.SlugField(max_length=40, unique=True)
    place = models.CharField(max_length=100, blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.ACTIVE)
    priority = models.PositiveSmallIntegerField(default=0, help_text="Lower is asked first")
    # Drawn when the store is first used and written into it, so that an empty directory where a
    # drive should be mounted is not taken for the region.
    instance = models.CharField(max_length=32, blank=True, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    # Copies that were read back before this moment have to be read again before they count.
    trusted_from = models.DateTimeField(null=True, blank=True, editable=False)
    # Health, as the workers last saw it; neither stops the region from being asked, last.
    away_since = models.DateTimeField(null=True, blank=True, editable=False)
    full_since = models.DateTimeField(null=True, blank=True, editable=False)
    # Where emptying began, so that its progress can be told.
    drain_began_at = models.DateTimeField(null=True, blank=True, editable=False)
    drain_objects = models.BigIntegerField(default=0, editable=False)
    drain_bytes = models.BigIntegerField(default=0, editable=False)
    drain_cursor = models.BigIntegerField(default=0, editable=False)
    # Up to which entry of the journal it has notes of.
    journal_cursor = models.BigIntegerField(default=0, editable=False)

    class Meta:
        ordering = ["priority", "alias"]

    def __str__(self) -> str:
        return self.alias

    @property
    def health(self) -> str:
        """How the workers last saw it: well, full or away."""
        if self.away_since is not None:
            return "away"
        return "full" if self.full_since is not None else "well"

    def note_full(self) -> None:
        """Record that its store says it is full, and have other places found for copies."""
        if Region.objects.filter(pk=self.pk, full_since=None).update(full_since=clock.now()):
            log.error("region %s is full", self.alias)
            Refill.request()


class Vault(models.Model):
    """One restic repository on the service."""

    class State(models.TextChoices):
        SETUP = "setup", "Being set up"
        ACTIVE = "active"
        READ_ONLY = "read-only"

    account = models.ForeignKey(Account, models.PROTECT, related_name="vaults")
    device = models.ForeignKey(Device, models.PROTECT, null=True, related_name="vaults")
    public_id = models.CharField(max_length=20, unique=True, default=new_public_id, editable=False)
    name = models.CharField(max_length=100)
    state = models.CharField(max_length=10, choices=State, default=State.SETUP)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    # Deleted by its owner before it was set up; something may still refer to the row.
    closed_at = models.DateTimeField(null=True, blank=True, editable=False)
    # Every change of what the vault holds takes the next number, under this row's lock.
    sequence = models.BigIntegerField(default=0, editable=False)
    sequence_at = models.DateTimeField(default=clock.now, editable=False)
    # Moves when something known may be gone (prune, undelete, a lost object): caches are stale.
    epoch = models.BigIntegerField(default=0, editable=False)
    last_snapshot_at = models.DateTimeField(null=True, blank=True, editable=False)
    # How many paths that backup could not read, as its program says; stock restic says nothing.
    last_unread = models.BigIntegerField(null=True, blank=True, editable=False)
    # Its locks, counted so that one conditional UPDATE keeps them within bounds.
    locks_held = models.IntegerField(default=0, editable=False)
    lock_bytes = models.IntegerField(default=0, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "name"], name="vault_name_in_account"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_new(self) -> bool:
        """Whether nobody has set it up: whoever may write to it may do so."""
        return self.state == self.State.SETUP and self.last_snapshot_at is None


class Credential(models.Model):
    """A scoped secret bound to one vault and, normally, one device. Only its hash is kept."""

    class Scope(models.TextChoices):
        RESTORE = "restore", "Restore: reads everything"
        BACKUP = "backup", "Back up: also adds, never removes"
        MAINTAIN = "maintain", "Maintain: also removes; that is kept for the grace period"

    vault = models.ForeignKey(Vault, models.PROTECT, related_name="credentials")
    device = models.ForeignKey(Device, models.PROTECT, null=True, related_name="credentials")
    prefix = models.CharField(max_length=20, unique=True, editable=False)
    secret_sha256 = models.CharField(max_length=64, editable=False)
    scope = models.CharField(max_length=10, choices=Scope)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    # The one-use right to write keys and config of a new vault, and the window for keys that an
    # owner may open later.
    setup_until = models.DateTimeField(null=True, blank=True)
    keys_until = models.DateTimeField(null=True, blank=True)
    # The fence: what this credential last saw of the index, and last removed from live data.
    index_seen = models.BigIntegerField(default=-1, editable=False)
    last_removal = models.BigIntegerField(default=-1, editable=False)

    def __str__(self) -> str:
        return f"{self.prefix} ({self.scope})"

    def has_setup_right(self, now: datetime) -> bool:
        """Whether keys and config of the new vault may be written."""
        return self.setup_until is not None and now < self.setup_until

    def has_key_window(self, now: datetime) -> bool:
        """Whether the owner has opened a window for changing keys."""
        return self.keys_until is not None and now < self.keys_until


class Lock(models.Model):
    """A restic lock: small, short-lived, sealed, and not an object.

    It stands for the run that holds it: see `storage/vaults/index_freshness.py`.
    """

    vault = models.ForeignKey(Vault, models.PROTECT, related_name="locks")
    name = models.CharField(max_length=64)
    body = models.BinaryField()
    credential = models.ForeignKey(Credential, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    # The vault's count when its run began; the run read the index after that.
    since = models.BigIntegerField(default=-1, editable=False)
    # Listings of locks by its credential since then, less those that other runs explain.
    looks = models.IntegerField(default=0, editable=False)
    # Put by `begin`, which tells the index in the same answer.
    is_begun = models.BooleanField(default=False, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["vault", "name"], name="lock_name_in_vault"),
        ]

    def __str__(self) -> str:
        return f"lock {self.name[:8]} of {self.vault_id}"


class EndedLock(models.Model):
    """A lock that was removed a short while ago, by its run or behind its back."""

    vault = models.ForeignKey(Vault, models.PROTECT, related_name="+")
    name = models.CharField(max_length=64)
    credential = models.ForeignKey(Credential, models.PROTECT, related_name="+")
    since = models.BigIntegerField(help_text="The vault's count when its run began")
    created_at = models.DateTimeField(help_text="When the lock was put")
    ended_at = models.DateTimeField(default=clock.now)
    may_go_on = models.BooleanField(help_text="Somebody else may have removed it from a run")

    class Meta:
        indexes = [models.Index(fields=["credential", "name"], name="ended_lock_of_credential")]

    def __str__(self) -> str:
        return f"ended lock {self.name[:8]} of {self.vault_id}"


class Usage(models.Model):
    """What an account's vaults hold, in bytes, of each object at least a floor (`vaults/quota.py`).

    Copies in further regions are free.
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
    """Quota held for an upload in flight, or for what it may have left behind.

    The row's deletion is its one settlement.
    """

    account = models.ForeignKey(Account, models.PROTECT, related_name="reservations")
    attempt = models.OneToOneField("storage.Attempt", models.PROTECT, related_name="reservation")
    size = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.size} bytes for attempt {self.attempt_id}"


class Refill(models.Model):
    """A walk over objects, to put copies that they lack on the work list.

    Of the whole service (scope "all"), or of the account whose identifier the scope is, after its
    plan has changed. A new reason begins it anew.
    """

    EVERYTHING = "all"

    scope = models.CharField(max_length=20, unique=True)
    cursor = models.BigIntegerField(default=0, help_text="The last object that was looked at")
    round = models.BigIntegerField(default=0, help_text="How often it was begun")
    ended_at = models.DateTimeField(null=True, blank=True)
    seen_event = models.BigIntegerField(default=0, help_text="Plan changes were noticed up to it")

    def __str__(self) -> str:
        return f"refill of {self.scope} at {self.cursor}"

    @classmethod
    def request(cls, scope: str = EVERYTHING) -> None:
        """Begin a walk, or begin it anew: over everything, or over one account's objects."""
        cls.objects.get_or_create(scope=scope)
        cls.objects.filter(scope=scope).update(cursor=0, ended_at=None, round=F("round") + 1)


class Heartbeat(models.Model):
    """When a part of the service was last heard of, written by that part."""

    name = models.CharField(max_length=40, unique=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} at {self.at}"

    @classmethod
    def beat(cls, name: str) -> None:
        """Say that the part called `name` is alive."""
        cls.objects.update_or_create(name=name, defaults={"at": clock.now()})


def bump_epoch(vault_id: int) -> None:
    """Tell agents to drop what they cached of a vault."""
    Vault.objects.filter(pk=vault_id).update(epoch=F("epoch") + 1)
