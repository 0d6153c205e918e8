"""The shapes of what the API tells of an account's people, for the OpenAPI document.

Times are RFC 3339 in UTC.
"""

from rest_framework import serializers

from accounts.customer_api.schema import Shape, example, page_of
from accounts.models import ApiToken, AuditEvent, Delivery, Endpoint, Membership
from accounts.topics import ReportRhythm, Topic

ACTOR_KINDS = AuditEvent.Kind.values
DELIVERY_STATES = Delivery.State.values
ENDPOINT_KINDS = Endpoint.Kind.values
ROLES = Membership.Role.values
TOKEN_SCOPES = ApiToken.Scope.values


@example(
    {
        "id": 12,
        "email": "mia@example.org",
        "name": "Mia",
        "role": "member",
        "joined_at": "2026-05-01T12:00:00Z",
    }
)
class MemberShape(Shape):
    """Somebody with a seat in the account."""

    id = serializers.IntegerField()
    email = serializers.CharField()
    name = serializers.CharField(allow_blank=True)
    role = serializers.ChoiceField(choices=ROLES)
    joined_at = serializers.DateTimeField()


@example(
    {
        "id": 7,
        "email": "axel@example.org",
        "role": "auditor",
        "created_at": "2026-05-01T12:00:00Z",
        "expires_at": "2026-05-08T12:00:00Z",
    }
)
class InvitationShape(Shape):
    """Somebody who is invited. The link that opens the invitation is in the mail only."""

    id = serializers.IntegerField()
    email = serializers.CharField()
    role = serializers.ChoiceField(choices=ROLES)
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()


@example(
    {
        "id": 7,
        "email": "axel@example.org",
        "role": "auditor",
        "created_at": "2026-05-01T12:00:00Z",
        "expires_at": "2026-05-08T12:00:00Z",
        "is_mailed": True,
    }
)
class NewInvitationShape(InvitationShape):
    """An invitation just made."""

    is_mailed = serializers.BooleanField(
        help_text="Whether a mail server took it; if not, invite them once more later"
    )


@example(
    {
        "prefix": "nst_k5xw4z3n",
        "label": "monitoring at home",
        "scope": "read",
        "member": "olga@example.org",
        "created_at": "2026-05-01T12:00:00Z",
        "expires_at": None,
        "last_used_at": "2026-05-02T08:30:00Z",
        "revoked_at": None,
    }
)
class TokenShape(Shape):
    """An API token, without its secret."""

    prefix = serializers.CharField(help_text="Its readable part")
    label = serializers.CharField()  # type: ignore[assignment]  # a field's name
    scope = serializers.ChoiceField(choices=TOKEN_SCOPES)
    member = serializers.CharField(allow_null=True, help_text="Who made it; null once they left")
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)


@example(
    {
        "id": 4711,
        "at": "2026-05-01T12:00:00Z",
        "by": "person",
        "who": "olga@example.org",
        "credential": "",
        "address": "192.0.2.7",
        "action": "vault.rename",
        "text": "gave the vault “laptop” the name “Anna”",
        "subject": "v7k2mxq4",
        "vault": "v7k2mxq4",
        "number": 93,
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    }
)
class ActivityShape(Shape):
    """A line of the audit log."""

    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    by = serializers.ChoiceField(choices=ACTOR_KINDS)
    who = serializers.CharField(help_text="The service's staff are not named")
    credential = serializers.CharField(allow_blank=True, help_text="Of a program: what it used")
    address = serializers.CharField(allow_blank=True, help_text="Where the request came from")
    action = serializers.CharField()
    text = serializers.CharField(help_text="What was done, in words")
    subject = serializers.CharField(allow_blank=True)
    vault = serializers.CharField(allow_blank=True, help_text="Its id, where it is about one")
    number = serializers.IntegerField(
        allow_null=True, help_text="In the account's chain; null until it is sealed"
    )
    sha256 = serializers.CharField(allow_blank=True, help_text="Of the chain up to this line")


@example(
    {
        "id": 31,
        "kind": "new-credential",
        "topic": "security",
        "at": "2026-05-01T12:00:00Z",
        "device": None,
        "subject": "A new credential for the vault “laptop”",
        "text": "Somebody can get into a vault now.",
        "link": "https://nightsafe.example/vaults/v7k2mxq4/",
    }
)
class NoticeShape(Shape):
    """Something that the account's people were told."""

    id = serializers.IntegerField()
    kind = serializers.CharField()
    topic = serializers.ChoiceField(choices=Topic.values)
    at = serializers.DateTimeField()
    device = serializers.CharField(allow_null=True, help_text="The id of the computer it is about")
    subject = serializers.CharField()
    text = serializers.CharField()
    link = serializers.CharField(allow_null=True, help_text="Where to go on")


@example(
    {
        "email": "olga@example.org",
        "backups": True,
        "billing": True,
        "security": True,
        "reports": "monthly",
        "is_reachable": True,
    }
)
class MailShape(Shape):
    """What a member is mailed about."""

    email = serializers.CharField()
    backups = serializers.BooleanField()
    billing = serializers.BooleanField(help_text="Goes to owners and admins only")
    security = serializers.BooleanField(help_text="Always goes to owners and admins")
    reports = serializers.ChoiceField(choices=ReportRhythm.values)
    is_reachable = serializers.BooleanField(help_text="False after mail came back")


_ENDPOINT = {
    "id": "e4n8c2rx",
    "kind": "webhook",
    "name": "Pager",
    "url": "https://pager.example.org/hook",
    "topics": ["backups", "security"],
    "created_at": "2026-05-01T12:00:00Z",
    "worked_at": "2026-05-02T08:30:00Z",
    "failing_since": None,
    "error": "",
}


@example(_ENDPOINT)
class EndpointShape(Shape):
    """A system of the customer's that gets notices."""

    id = serializers.CharField()
    kind = serializers.ChoiceField(choices=ENDPOINT_KINDS)
    name = serializers.CharField()
    url = serializers.CharField()
    topics = serializers.ListField(child=serializers.ChoiceField(choices=Topic.values))
    created_at = serializers.DateTimeField()
    worked_at = serializers.DateTimeField(allow_null=True, help_text="When it last took something")
    failing_since = serializers.DateTimeField(allow_null=True)
    error = serializers.CharField(allow_blank=True, help_text="Why it fails")


@example(_ENDPOINT | {"key": "whsec_bmlnaHRzYWZlIG5pZ2h0c2FmZSBuaWdodHNhZmUgMTI="})
class NewEndpointShape(EndpointShape):
    """An endpoint with its key."""

    key = serializers.CharField(
        allow_null=True,
        help_text="As Standard Webhooks writes it, told here only; null where the request was "
        "repeated, and for what is no webhook",
    )


@example(
    {
        "id": 90,
        "notice": 31,
        "kind": "new-credential",
        "state": "sent",
        "attempts": 1,
        "next_attempt_at": None,
        "sent_at": "2026-05-01T12:00:04Z",
        "error": "",
    }
)
class DeliveryShape(Shape):
    """A notice on its way to an endpoint."""

    id = serializers.IntegerField()
    notice = serializers.IntegerField(help_text="The notice's id")
    kind = serializers.CharField()
    state = serializers.ChoiceField(choices=DELIVERY_STATES)
    attempts = serializers.IntegerField()
    next_attempt_at = serializers.DateTimeField(allow_null=True)
    sent_at = serializers.DateTimeField(allow_null=True)
    error = serializers.CharField(allow_blank=True)


@example({"deliveries": 3})
class SentAgainShape(Shape):
    """How many deliveries are on their way again."""

    deliveries = serializers.IntegerField()


MemberPage = page_of(MemberShape)
InvitationPage = page_of(InvitationShape)
TokenPage = page_of(TokenShape)
ActivityPage = page_of(ActivityShape)
NoticePage = page_of(NoticeShape)
EndpointPage = page_of(EndpointShape)
DeliveryPage = page_of(DeliveryShape)
