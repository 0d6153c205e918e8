"""The table of accounts that were closed, and how far each is on its way to being erased."""

from django.db import models
from django.utils.translation import gettext_noop

from accounts.models.accounts import Account
from backup_service import clock


class Closing(models.Model):
    """An account's closing, and its work: leased, step by step. It goes when the account reopens.

    The steps are in order in `accounts/closing/plan.py`. A row that has ended stays, as the account
    does, with nothing of anybody's in either.
    """

    class Reason(models.TextChoices):
        OWNER = "owner", gettext_noop("by its owner")
        UNPAID = "unpaid", gettext_noop("a payment was long overdue")
        INACTIVE = "inactive", gettext_noop("nobody used it for a year")
        OPERATOR = "operator", gettext_noop("by whoever runs the service")

    class Step(models.TextChoices):
        SUBSCRIPTION = "subscription", "Ending the subscription"
        COOLING = "cooling", "Waiting: it can be opened again"
        KEYS = "keys", "Destroying the vaults’ keys"  # noqa: RUF001
        OBJECTS = "objects", "Removing what the vaults hold"
        BYTES = "bytes", "Waiting for the last bytes to go"
        PAYMENTS = "payments", "Deleting the customer at Stripe"
        LETTER = "letter", "Writing to its owners for the last time"
        PERSONS = "persons", "Erasing names, addresses and people"
        ENDED = "ended", "Erased"

    account = models.OneToOneField(Account, models.PROTECT, related_name="closing")
    reason = models.CharField(max_length=10, choices=Reason)
    state_before = models.CharField(max_length=10, choices=Account.State)
    closed_at = models.DateTimeField()
    erase_after = models.DateTimeField(help_text="Not before this moment, and a whole grace")
    is_hastened = models.BooleanField(default=False, help_text="Staff have it erased at once")
    step = models.CharField(max_length=12, choices=Step, default=Step.SUBSCRIPTION)
    ended_at = models.DateTimeField(null=True)
    # The work of a step.
    attempts = models.PositiveIntegerField(default=0, help_text="In vain, since it last went on")
    next_attempt_at = models.DateTimeField(default=clock.now)
    lease = models.CharField(max_length=32, blank=True, editable=False)
    parked_at = models.DateTimeField(null=True, help_text="Given up, and waiting for staff")
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                name="closing_work",
                condition=models.Q(ended_at=None, parked_at=None),
            ),
        ]

    def __str__(self) -> str:
        return f"closing of {self.account_id}: {self.step}"
