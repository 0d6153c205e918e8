"""The audit log."""

from django.db import models

from accounts.models.accounts import Account
from accounts.models.people import User
from backup_service import clock


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
