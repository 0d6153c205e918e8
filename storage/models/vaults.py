"""Tables of vaults, credentials and locks."""

from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F
from django.utils.translation import gettext_noop

from accounts.ids import new_public_id
from accounts.models import Account, Device
from backup_service import clock


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
    # When its owner asked for its deletion; it can be kept until the grace period is over.
    deletion_asked_at = models.DateTimeField(null=True, blank=True, editable=False)
    # Every change of what the vault holds takes the next number, under this row's lock.
    sequence = models.BigIntegerField(default=0, editable=False)
    sequence_at = models.DateTimeField(default=clock.now, editable=False)
    # Moves when something known may be gone (prune, undelete, a lost object): caches are stale.
    epoch = models.BigIntegerField(default=0, editable=False)
    last_snapshot_at = models.DateTimeField(null=True, blank=True, editable=False)
    # How many paths that backup could not read, as its program says; stock restic says nothing.
    last_unread = models.BigIntegerField(null=True, blank=True, editable=False)
    # How often backups are to come, as the owner says, or else as they have come; 0 where that is
    # not known. In seconds.
    expected_interval = models.BigIntegerField(default=0, editable=False)
    learnt_interval = models.BigIntegerField(default=0, editable=False)
    # After this moment it is late, unless a backup came; none until the first one.
    late_from = models.DateTimeField(null=True, blank=True, editable=False)
    # The latest refusal that stopped a backup; none since the last snapshot.
    refused_at = models.DateTimeField(null=True, blank=True, editable=False)
    refused_status = models.PositiveSmallIntegerField(null=True, blank=True, editable=False)
    refused_text = models.CharField(max_length=500, blank=True, editable=False)
    # When everything was removed, or all snapshots but one, until the owner says that it was meant.
    wiped_at = models.DateTimeField(null=True, blank=True, editable=False)
    wipe_accepted_at = models.DateTimeField(null=True, blank=True, editable=False)
    # Its locks, counted so that one conditional UPDATE keeps them within bounds.
    locks_held = models.IntegerField(default=0, editable=False)
    lock_bytes = models.IntegerField(default=0, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "name"], name="vault_name_in_account"),
        ]
        indexes = [
            models.Index(
                fields=["late_from"],
                name="vault_late",
                condition=models.Q(closed_at=None, late_from__isnull=False),
            ),
            models.Index(
                fields=["deletion_asked_at"],
                name="vault_going",
                condition=models.Q(closed_at=None, deletion_asked_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_new(self) -> bool:
        """Whether nobody has set it up: whoever may write to it may do so."""
        return self.state == self.State.SETUP and self.last_snapshot_at is None

    @property
    def kept_until(self) -> datetime | None:
        """Until when it can be kept, if its deletion was asked for."""
        asked = self.deletion_asked_at
        return asked + settings.GRACE if asked is not None else None

    @property
    def interval(self) -> timedelta | None:
        """How often backups are to come; None where nobody knows."""
        seconds = self.expected_interval or self.learnt_interval
        return timedelta(seconds=seconds) if seconds else None

    @property
    def url(self) -> str:
        """The vault's address for restic and the agent, with its final slash."""
        return f"{settings.GATEWAY_URL}/restic/{self.public_id}/"

    @classmethod
    def bump_epoch(cls, pk: int) -> None:
        """Tell agents to drop what they cached of a vault."""
        cls.objects.filter(pk=pk).update(epoch=F("epoch") + 1)


class CredentialQuerySet(models.QuerySet["Credential"]):
    """Which credentials open something."""

    def in_use(self, now: datetime) -> Self:
        """Those that were neither revoked nor replaced for good."""
        lasting = models.Q(ends_at=None) | models.Q(ends_at__gt=now)
        return self.filter(lasting, revoked_at=None)


class Credential(models.Model):
    """A scoped secret bound to one vault and, normally, one device. Only its hash is kept."""

    class Scope(models.TextChoices):
        RESTORE = "restore", gettext_noop("Restore: reads everything")
        BACKUP = "backup", gettext_noop("Back up: also adds, never removes")
        MAINTAIN = (
            "maintain",
            gettext_noop("Maintain: also removes; that is kept for the grace period"),
        )

    vault = models.ForeignKey(Vault, models.PROTECT, related_name="credentials")
    device = models.ForeignKey(Device, models.PROTECT, null=True, related_name="credentials")
    prefix = models.CharField(max_length=20, unique=True, editable=False)
    label = models.CharField(max_length=100, blank=True, help_text="What its owner calls it")
    secret_sha256 = models.CharField(max_length=64, editable=False)
    scope = models.CharField(max_length=10, choices=Scope)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True)
    # When one that was replaced is revoked by itself.
    ends_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    # The one-use right to write keys and config of a new vault, and the window for keys that an
    # owner may open later.
    setup_until = models.DateTimeField(null=True, blank=True)
    keys_until = models.DateTimeField(null=True, blank=True)
    # Index freshness: what this credential last saw of the index, and last removed from live data.
    index_seen = models.BigIntegerField(default=-1, editable=False)
    last_removal = models.BigIntegerField(default=-1, editable=False)
    # What it has added since its last snapshot.
    added_bytes = models.BigIntegerField(default=0, editable=False)

    objects = CredentialQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(
                fields=["ends_at"],
                name="credential_ending",
                condition=models.Q(revoked_at=None, ends_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.prefix} ({self.scope})"

    def is_in_use(self, now: datetime) -> bool:
        """Return whether it was neither revoked nor replaced for good."""
        return self.revoked_at is None and (self.ends_at is None or now < self.ends_at)

    def has_setup_right(self, now: datetime) -> bool:
        """Return whether keys and config of the new vault may be written."""
        return self.setup_until is not None and now < self.setup_until

    def has_key_window(self, now: datetime) -> bool:
        """Return whether the owner has opened a window for changing keys."""
        return self.keys_until is not None and now < self.keys_until

    @property
    def keys_open(self) -> bool:
        """Whether it may change keys at this moment."""
        now = clock.now()
        return self.is_in_use(now) and self.has_key_window(now)


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
    # When its run began, which may have put other locks before.
    began_at = models.DateTimeField(default=clock.now, editable=False)
    # Put by `begin`, which tells the index in the same answer.
    is_begun = models.BooleanField(default=False, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["vault", "name"], name="lock_name_in_vault"),
        ]

    def __str__(self) -> str:
        return f"lock {self.name[:8]} of {self.vault_id}"


class EndedLock(models.Model):
    """A lock that was removed a short while ago, by its own run or by somebody else."""

    vault = models.ForeignKey(Vault, models.PROTECT, related_name="+")
    name = models.CharField(max_length=64)
    credential = models.ForeignKey(Credential, models.PROTECT, related_name="+")
    since = models.BigIntegerField(help_text="The vault's count when its run began")
    created_at = models.DateTimeField(help_text="When the lock was put")
    began_at = models.DateTimeField(default=clock.now, help_text="When its run began")
    ended_at = models.DateTimeField(default=clock.now)
    may_go_on = models.BooleanField(help_text="Somebody else may have removed it from a run")

    class Meta:
        indexes = [models.Index(fields=["credential", "name"], name="ended_lock_of_credential")]

    def __str__(self) -> str:
        return f"ended lock {self.name[:8]} of {self.vault_id}"
