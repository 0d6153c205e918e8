"""Table of what staff note about accounts."""

from django.db import models

from accounts.models.accounts import Account
from accounts.models.people import User
from backup_service import clock


class StaffNote(models.Model):
    """What one of the staff wants the others to know of an account. Rows are only ever added."""

    account = models.ForeignKey(Account, models.PROTECT, related_name="staff_notes")
    author = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    author_label = models.CharField(max_length=254)
    text = models.TextField(max_length=2000)
    at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        indexes = [models.Index(fields=["account", "-id"], name="staff_note_latest")]

    def __str__(self) -> str:
        return f"note {self.pk} on {self.account_id}"
