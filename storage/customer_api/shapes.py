"""The shapes of what the API takes and tells about computers and vaults, for the OpenAPI document.

Times are RFC 3339 in UTC, sizes are bytes.
"""

from typing import Any

from rest_framework import serializers

from storage.models import Credential, VaultEvent

STATES = (
    "protected",
    "late",
    "refused",
    "never",
    "at-risk",
    "copying",
    "incomplete",
    "setup",
    "retired",
)
Shape = serializers.Serializer[Any]


class VaultShape(Shape):
    """A vault: how it stands and what it holds."""

    id = serializers.CharField(help_text="Part of its address, and never changes")
    name = serializers.CharField()
    state = serializers.ChoiceField(choices=STATES)
    reason = serializers.CharField(help_text="Why it stands so, in a sentence")
    device = serializers.CharField(allow_null=True, help_text="The computer's id")
    address = serializers.CharField(help_text="For the agent and for restic")
    created_at = serializers.DateTimeField()
    last_backup_at = serializers.DateTimeField(allow_null=True)
    snapshots = serializers.IntegerField()
    bytes = serializers.IntegerField(help_text="Of what is there now")
    copies = serializers.IntegerField(help_text="Verified copies that everything has, at least")


class VaultPage(Shape):
    """A page of vaults."""

    results = VaultShape(many=True)
    next = serializers.CharField(allow_null=True, help_text="The address of the next page")


class EventShape(Shape):
    """Something that happened in a vault. What comes again and again is one event."""

    id = serializers.CharField()
    kind = serializers.ChoiceField(choices=[kind.value for kind in VaultEvent.Kind])
    at = serializers.DateTimeField(help_text="When it happened last")
    first_at = serializers.DateTimeField()
    count = serializers.IntegerField()
    status = serializers.IntegerField(allow_null=True, help_text="The HTTP status of a refusal")
    text = serializers.CharField()
    credential = serializers.CharField(allow_null=True, help_text="Its user name")
    snapshots = serializers.IntegerField(allow_null=True)
    bytes = serializers.IntegerField(allow_null=True)
    seconds = serializers.FloatField(allow_null=True)
    unread = serializers.IntegerField(allow_null=True)


class EventPage(Shape):
    """A page of events, the newest first."""

    results = EventShape(many=True)
    next = serializers.CharField(allow_null=True)


class CredentialShape(Shape):
    """What opens a vault. The secret is told once, when it is made."""

    username = serializers.CharField()
    label = serializers.CharField(allow_blank=True)  # type: ignore[assignment]  # a field's name
    scope = serializers.ChoiceField(choices=Credential.Scope.choices)
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)


class NewCredentialShape(CredentialShape):
    """A credential just made."""

    secret = serializers.CharField(
        allow_null=True, help_text="Told once; null where the request was repeated"
    )
    address = serializers.CharField(help_text="The vault's, for the agent and for restic")


class CredentialPage(Shape):
    """A page of credentials, the newest first."""

    results = CredentialShape(many=True)
    next = serializers.CharField(allow_null=True)


class AccountShape(Shape):
    """An account, its plan and what it uses."""

    id = serializers.CharField()
    name = serializers.CharField()
    state = serializers.ChoiceField(choices=["active", "read-only", "restore-only", "closed"])
    reason = serializers.CharField(allow_blank=True, help_text="Why something is not allowed")
    plan = serializers.CharField(help_text="Its slug")
    quota = serializers.IntegerField(help_text="Bytes")
    used = serializers.IntegerField(help_text="Bytes that count")
    removed = serializers.IntegerField(help_text="Bytes removed and kept for the grace period")
    devices = serializers.IntegerField(help_text="In use")
    device_limit = serializers.IntegerField(allow_null=True)
    copies = serializers.IntegerField(help_text="That the plan promises")


class DeviceShape(Shape):
    """A computer."""

    id = serializers.CharField()
    name = serializers.CharField()
    created_at = serializers.DateTimeField()
    retired_at = serializers.DateTimeField(allow_null=True)


class DevicePage(Shape):
    """A page of computers, the newest first."""

    results = DeviceShape(many=True)
    next = serializers.CharField(allow_null=True)
