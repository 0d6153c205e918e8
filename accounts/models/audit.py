"""The audit log, and the heads of its chains of hashes."""

from django.db import models

from accounts.models.accounts import Account
from accounts.models.people import User
from backup_service import clock


class AuditEvents(models.QuerySet["AuditEvent"]):
    """Questions about rows of the audit log."""

    def unsealed(self, account_id: int | None) -> "AuditEvents":
        """Return the rows of an account, or of none, that have no place in their chain yet."""
        return self.filter(account=account_id, number=None)


class AuditEvent(models.Model):
    """An entry of the audit log. Rows are only ever added, and sealed once.

    What says who somebody was, or names something of theirs, can be erased later without breaking
    the chain, which holds salted hashes of it: see `accounts/audit/chain.py` and `erasure.py`.
    """

    class Kind(models.TextChoices):
        PERSON = "person", "a person"
        STAFF = "staff", "staff of the service"
        CREDENTIAL = "credential", "a credential"
        TOKEN = "token", "an API token"
        OPERATOR = "operator", "an operator"
        SERVICE = "service", "the service itself"

    at = models.DateTimeField(default=clock.now, editable=False)
    account = models.ForeignKey(Account, models.PROTECT, null=True, related_name="audit_events")
    actor = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    actor_kind = models.CharField(max_length=10, choices=Kind, default=Kind.SERVICE)
    actor_label = models.CharField(max_length=254)  # as long as an e-mail address may be
    credential = models.CharField(max_length=40, blank=True)  # the prefix of a credential or token
    address = models.GenericIPAddressField(null=True)
    verb = models.CharField(max_length=60)
    subject = models.CharField(max_length=200)
    detail = models.JSONField(default=dict)
    number = models.BigIntegerField(null=True)  # in its chain, from 1; null until sealed
    digest = models.CharField(max_length=64, blank=True)  # accounts/audit/chain.py
    # Made when it is sealed. Once a salt is gone, so is what it belonged to.
    who_salt = models.CharField(max_length=32, blank=True)
    who_digest = models.CharField(max_length=64, blank=True)
    what_salt = models.CharField(max_length=32, blank=True)
    what_digest = models.CharField(max_length=64, blank=True)

    objects = AuditEvents.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["account", "-at"]),
            models.Index(fields=["account", "-id"], name="audit_event_pages"),
            models.Index(
                fields=["account"],
                condition=models.Q(number=None),
                name="audit_event_unsealed",
            ),
        ]
        constraints = [
            # Of rows that concern no account there is one chain as well, but nulls differ.
            models.UniqueConstraint(fields=["account", "number"], name="audit_event_number"),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.actor_label} {self.verb} {self.subject}"


class AuditChain(models.Model):
    """The head of a chain: the number and digest of the row that was sealed last."""

    name = models.CharField(max_length=20, primary_key=True)
    number = models.BigIntegerField(default=0)
    digest = models.CharField(max_length=64, default="0" * 64)

    def __str__(self) -> str:
        return f"{self.name} up to {self.number}"
