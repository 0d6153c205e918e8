"""Accounts, and the seats of people in them."""

from django.db import models

from accounts.continents import Continent
from accounts.ids import new_public_id
from accounts.models.people import User
from backup_service import clock


class Account(models.Model):
    """A tenant: what pays, has a plan and a quota, and owns devices and vaults."""

    class State(models.TextChoices):
        ACTIVE = "active"
        FROZEN = "frozen", "Frozen: restores only"
        CLOSED = "closed", "Closed: restores only, until it is erased"
        ERASED = "erased", "Erased, or being erased: nobody gets in"

    CLOSED = (State.CLOSED, State.ERASED)

    public_id = models.CharField(max_length=20, unique=True, default=new_public_id, editable=False)
    name = models.CharField(max_length=150)
    state = models.CharField(max_length=10, choices=State, default=State.ACTIVE)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    closed_at = models.DateTimeField(null=True, blank=True)
    # Where its backups are to live, as far as the service is there; empty: wherever it suits.
    continent = models.CharField(max_length=15, choices=Continent, blank=True)

    class Meta:
        permissions = [
            ("suspend_account", "Can freeze an account, and lift that"),
            ("close_account", "Can close an account, and open it again"),
        ]
        indexes = [models.Index(fields=["created_at"], name="account_newest")]

    def __str__(self) -> str:
        return self.name or self.public_id

    @property
    def is_closed(self) -> bool:
        """Whether its owner, or whoever runs the service, has closed it."""
        return self.state in self.CLOSED


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
    # The account is offered to this member, by an owner; it changes hands when they accept.
    offered_at = models.DateTimeField(null=True, blank=True, editable=False)
    offered_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, editable=False, related_name="+"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "user"], name="one_seat_per_person"),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.account} as {self.role}"
