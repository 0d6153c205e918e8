"""Tables of people, their accounts and devices, and the audit log."""

from typing import Any, ClassVar

from django.contrib.auth.base_user import BaseUserManager
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models.functions import Lower

from accounts.continents import Continent
from accounts.ids import new_public_id
from backup_service import clock


class UserManager(BaseUserManager["User"]):
    """Users are known by e-mail address, compared without regard to case."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Store a user; without a password the only way in is the reset mail."""
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Store a staff member who may do everything in the admin."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        """Look up by e-mail address, as sign-in does."""
        return self.get(email__iexact=username)


class User(AbstractUser):
    """A person who signs in by e-mail."""

    username = None  # type: ignore[assignment]
    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]
    email = models.EmailField("e-mail address", unique=True)
    name = models.CharField(max_length=150, blank=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects: ClassVar[UserManager] = UserManager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.UniqueConstraint(Lower("email"), name="user_email_without_case"),
        ]

    def __str__(self) -> str:
        return self.email

    def get_full_name(self) -> str:
        """Return the name to greet with."""
        return self.name or self.email

    def get_short_name(self) -> str:
        """Return the part before the @ when no name was given."""
        return self.name or self.email.split("@")[0]


class Account(models.Model):
    """A tenant: what pays, has a plan and a quota, and owns devices and vaults."""

    class State(models.TextChoices):
        ACTIVE = "active"
        FROZEN = "frozen", "Frozen: restores only"
        CLOSED = "closed", "Closed: waiting for deletion"

    public_id = models.CharField(max_length=20, unique=True, default=new_public_id, editable=False)
    name = models.CharField(max_length=150)
    state = models.CharField(max_length=10, choices=State, default=State.ACTIVE)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    closed_at = models.DateTimeField(null=True, blank=True)
    # Where its backups are to live, as far as the service is there; empty: wherever it suits.
    continent = models.CharField(max_length=15, choices=Continent, blank=True)

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A person's seat in an account."""

    class Role(models.TextChoices):
        OWNER = "owner"
        ADMIN = "admin"
        MEMBER = "member"
        AUDITOR = "auditor"

    account = models.ForeignKey(Account, models.PROTECT, related_name="memberships")
    user = models.ForeignKey(User, models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "user"], name="one_seat_per_person"),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.account} as {self.role}"


class Device(models.Model):
    """A computer with an agent."""

    account = models.ForeignKey(Account, models.PROTECT, related_name="devices")
    public_id = models.CharField(max_length=20, unique=True, default=new_public_id, editable=False)
    name = models.CharField(max_length=100)
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


class AuditEvent(models.Model):
    """An entry of the audit log. Rows are only ever added."""

    at = models.DateTimeField(default=clock.now, editable=False)
    account = models.ForeignKey(Account, models.PROTECT, null=True, related_name="audit_events")
    actor = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    actor_label = models.CharField(max_length=254)  # as long as an e-mail address may be
    verb = models.CharField(max_length=60)
    subject = models.CharField(max_length=200)
    detail = models.JSONField(default=dict)

    class Meta:
        indexes = [models.Index(fields=["account", "-at"])]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.actor_label} {self.verb} {self.subject}"
