"""The shapes of what the API tells about plans and payments, for the OpenAPI document.

Times are RFC 3339 in UTC, room is in bytes, money in US cents.
"""

from rest_framework import serializers

from accounts.customer_api.schema import Shape, example, page_of
from billing.models import Interval
from billing.state import State

STATES = [state.value for state in State]
_INTERVALS = [*Interval.values, ""]


@example({"at": "2026-06-15T12:00:00Z", "text": "New backups are paused."})
class StepShape(Shape):
    """What happens when, unless somebody pays."""

    at = serializers.DateTimeField()
    text = serializers.CharField()


@example(
    {
        "plan": "personal",
        "state": "normal",
        "text": "All is paid, and backups and restores work.",
        "may_store": True,
        "may_remove": True,
        "may_restore": True,
        "reason": "",
        "quota": 200_000_000_000,
        "used": 61_000_000_000,
        "copies": 2,
        "device_limit": None,
        "granted_bytes": 0,
        "granted_days": 0,
        "interval": "month",
        "period_ends_at": "2026-06-01T12:00:00Z",
        "cancels_at_period_end": False,
        "scheduled_plan": "",
        "unpaid_since": None,
        "is_disputed": False,
        "steps": [],
    }
)
class BillingShape(Shape):
    """The plan, what may be done right now, and how payments stand."""

    plan = serializers.CharField(help_text="Its slug")
    state = serializers.ChoiceField(choices=STATES)
    text = serializers.CharField(help_text="The state in a sentence")
    may_store = serializers.BooleanField()
    may_remove = serializers.BooleanField()
    may_restore = serializers.BooleanField()
    reason = serializers.CharField(allow_blank=True, help_text="Why something is not allowed")
    quota = serializers.IntegerField(help_text="Bytes, with what was granted")
    used = serializers.IntegerField(help_text="Bytes that count")
    copies = serializers.IntegerField(help_text="That the plan promises")
    device_limit = serializers.IntegerField(allow_null=True)
    granted_bytes = serializers.IntegerField(help_text="Of the quota")
    granted_days = serializers.IntegerField(help_text="By which each step is put off")
    interval = serializers.ChoiceField(choices=_INTERVALS, help_text="Empty: nothing is paid")
    period_ends_at = serializers.DateTimeField(allow_null=True)
    cancels_at_period_end = serializers.BooleanField()
    scheduled_plan = serializers.CharField(
        allow_blank=True, help_text="The plan from the end of the period on, if it changes"
    )
    unpaid_since = serializers.DateTimeField(allow_null=True)
    is_disputed = serializers.BooleanField(help_text="Whether a bank has taken a payment back")
    steps = StepShape(many=True)


@example(
    {
        "slug": "plus",
        "name": "Plus",
        "quota": 500_000_000_000,
        "device_limit": None,
        "copies": 3,
        "month_cents": 1000,
        "year_cents": 10000,
    }
)
class PlanShape(Shape):
    """A plan on offer."""

    slug = serializers.CharField()
    name = serializers.CharField()
    quota = serializers.IntegerField(help_text="Bytes")
    device_limit = serializers.IntegerField(allow_null=True, help_text="Null: no limit")
    copies = serializers.IntegerField()
    month_cents = serializers.IntegerField(help_text="0: it is not sold by the month")
    year_cents = serializers.IntegerField(help_text="0: it is not sold by the year")


@example(
    {
        "id": 5,
        "quota_bytes": 10_000_000_000,
        "grace_days": 0,
        "starts_at": "2026-05-01T12:00:00Z",
        "ends_at": "2026-05-15T12:00:00Z",
    }
)
class GrantShape(Shape):
    """What the service's staff gave for a while: more room, or more time to pay."""

    id = serializers.IntegerField()
    quota_bytes = serializers.IntegerField()
    grace_days = serializers.IntegerField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()


@example(
    {
        "number": "NS-0001",
        "at": "2026-05-01T12:00:00Z",
        "total": 500,
        "due": 0,
        "status": "paid",
        "is_owed": False,
        "url": "https://invoice.stripe.com/i/acct_1/live_1",
    }
)
class InvoiceShape(Shape):
    """An invoice."""

    number = serializers.CharField(allow_blank=True)
    at = serializers.DateTimeField(allow_null=True)
    total = serializers.IntegerField(help_text="Cents")
    due = serializers.IntegerField(help_text="Cents that are not paid yet")
    status = serializers.CharField(allow_blank=True, help_text="As Stripe calls it")
    is_owed = serializers.BooleanField()
    url = serializers.CharField(allow_blank=True, help_text="Stripe's page of it")


@example(
    {
        "results": [
            {
                "number": "NS-0001",
                "at": "2026-05-01T12:00:00Z",
                "total": 500,
                "due": 0,
                "status": "paid",
                "is_owed": False,
                "url": "https://invoice.stripe.com/i/acct_1/live_1",
            }
        ],
        "next_total": 500,
        "next_at": "2026-06-01T12:00:00Z",
    }
)
class StatementShape(Shape):
    """The newest invoices, and the next one if something is to be paid."""

    results = InvoiceShape(many=True)
    next_total = serializers.IntegerField(allow_null=True, help_text="Cents")
    next_at = serializers.DateTimeField(allow_null=True)


@example({"url": "https://checkout.stripe.com/c/pay/cs_1"})
class AddressShape(Shape):
    """Where to send the customer."""

    url = serializers.CharField(allow_null=True, help_text="Null where the request was repeated")


PlanPage = page_of(PlanShape)
GrantPage = page_of(GrantShape)
