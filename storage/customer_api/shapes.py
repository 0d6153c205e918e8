"""The shapes of what the API takes and tells about computers and vaults, for the OpenAPI document.

Times are RFC 3339 in UTC, sizes are bytes.
"""

from rest_framework import serializers

from accounts.continents import Continent
from accounts.customer_api.schema import Shape, example, page_of
from storage.models import Credential, VaultEvent

STATES = (
    "protected",
    "late",
    "refused",
    "never",
    "at-risk",
    "copying",
    "setup",
    "retired",
    "deleting",
)
CREDENTIAL_SCOPES = Credential.Scope.values
EVENT_KINDS = VaultEvent.Kind.values
ACCOUNT_STATES = ("active", "read-only", "restore-only", "closed")


@example(
    {
        "id": "v7k2mxq4",
        "name": "laptop",
        "state": "protected",
        "reason": "The last backup is complete, and everything has two verified copies.",
        "device": "d3p9wq5t",
        "address": "https://nightsafe.example/restic/v7k2mxq4/",
        "created_at": "2026-04-01T12:00:00Z",
        "last_backup_at": "2026-05-01T02:13:00Z",
        "expected_hours": None,
        "late_from": "2026-05-03T02:13:00Z",
        "snapshots": 30,
        "bytes": 61_000_000_000,
        "copies": 2,
        "lost": 0,
        "deletion_asked_at": None,
        "kept_until": None,
    }
)
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
    expected_hours = serializers.IntegerField(
        allow_null=True, help_text="How often backups are to come; null: as they have come"
    )
    late_from = serializers.DateTimeField(
        allow_null=True, help_text="When it counts as late, unless a backup comes"
    )
    snapshots = serializers.IntegerField()
    bytes = serializers.IntegerField(help_text="Of what is there now")
    copies = serializers.IntegerField(help_text="Verified copies that everything has, at least")
    lost = serializers.IntegerField(help_text="Objects of which no good copy is left")
    deletion_asked_at = serializers.DateTimeField(allow_null=True)
    kept_until = serializers.DateTimeField(
        allow_null=True, help_text="Until when its deletion can be taken back"
    )


@example(
    {
        "id": "815",
        "kind": "removal",
        "at": "2026-05-01T12:04:00Z",
        "first_at": "2026-05-01T12:00:00Z",
        "before": "2026-05-01T11:59:59.999999Z",
        "count": 12,
        "status": None,
        "text": "",
        "credential": "nsq2w4e6r8t0y2u4",
        "snapshots": 3,
        "bytes": 9_000_000,
        "seconds": None,
        "unread": None,
    }
)
class EventShape(Shape):
    """Something that happened in a vault. What comes again and again is one event."""

    id = serializers.CharField()
    kind = serializers.ChoiceField(choices=EVENT_KINDS)
    at = serializers.DateTimeField(help_text="When it happened last")
    first_at = serializers.DateTimeField()
    before = serializers.DateTimeField(
        allow_null=True,
        help_text="Of a removal the last moment before it, to which an undelete may go",
    )
    count = serializers.IntegerField()
    status = serializers.IntegerField(allow_null=True, help_text="The HTTP status of a refusal")
    text = serializers.CharField()
    credential = serializers.CharField(allow_null=True, help_text="Its user name")
    snapshots = serializers.IntegerField(allow_null=True)
    bytes = serializers.IntegerField(allow_null=True)
    seconds = serializers.FloatField(allow_null=True)
    unread = serializers.IntegerField(allow_null=True)


_CREDENTIAL = {
    "username": "nsq2w4e6r8t0y2u4",
    "label": "Server room, restic",
    "scope": "backup",
    "created_at": "2026-05-01T12:00:00Z",
    "last_used_at": None,
    "revoked_at": None,
    "ends_at": None,
    "keys_until": None,
}


@example(_CREDENTIAL)
class CredentialShape(Shape):
    """What opens a vault. The secret is told once, when it is made."""

    username = serializers.CharField()
    label = serializers.CharField(allow_blank=True)  # type: ignore[assignment]  # a field's name
    scope = serializers.ChoiceField(choices=CREDENTIAL_SCOPES)
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)
    ends_at = serializers.DateTimeField(
        allow_null=True, help_text="When it ends, once it was replaced"
    )
    keys_until = serializers.DateTimeField(
        allow_null=True, help_text="Until when it may add and remove keys"
    )


@example(
    _CREDENTIAL
    | {
        "secret": "pXn3cB0mVq7tYw1zKd5sHf9uJg2aLe8rOi4yTb6xQvM",
        "address": "https://nightsafe.example/restic/v7k2mxq4/",
    }
)
class NewCredentialShape(CredentialShape):
    """A credential just made."""

    secret = serializers.CharField(
        allow_null=True, help_text="Told once; null where the request was repeated"
    )
    address = serializers.CharField(help_text="The vault's, for the agent and for restic")


_ACCOUNT = {
    "id": "a5m2x8qc",
    "name": "Olga",
    "state": "active",
    "reason": "",
    "plan": "personal",
    "quota": 200_000_000_000,
    "used": 61_000_000_000,
    "removed": 2_000_000_000,
    "devices": 2,
    "device_limit": None,
    "copies": 2,
    "continent": "europe",
}


@example(_ACCOUNT)
class AccountShape(Shape):
    """An account, its plan and what it uses."""

    id = serializers.CharField()
    name = serializers.CharField()
    state = serializers.ChoiceField(choices=ACCOUNT_STATES)
    reason = serializers.CharField(allow_blank=True, help_text="Why something is not allowed")
    plan = serializers.CharField(help_text="Its slug")
    quota = serializers.IntegerField(help_text="Bytes")
    used = serializers.IntegerField(help_text="Bytes that count")
    removed = serializers.IntegerField(help_text="Bytes removed and kept for the grace period")
    devices = serializers.IntegerField(help_text="In use")
    device_limit = serializers.IntegerField(allow_null=True)
    copies = serializers.IntegerField(help_text="That the plan promises")
    continent = serializers.ChoiceField(
        choices=[*Continent.values, ""], help_text="Where new backups live; empty: anywhere"
    )


@example(
    {
        "id": "d3p9wq5t",
        "name": "laptop",
        "member": 12,
        "created_at": "2026-04-01T12:00:00Z",
        "retired_at": None,
    }
)
class DeviceShape(Shape):
    """A computer."""

    id = serializers.CharField()
    name = serializers.CharField()
    member = serializers.IntegerField(
        allow_null=True, help_text="The id of the member whose it is; null: nobody's in particular"
    )
    created_at = serializers.DateTimeField()
    retired_at = serializers.DateTimeField(allow_null=True)


VaultPage = page_of(VaultShape)
EventPage = page_of(EventShape)
CredentialPage = page_of(CredentialShape)
DevicePage = page_of(DeviceShape)
