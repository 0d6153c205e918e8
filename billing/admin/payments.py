"""Staff pages about payments: who is on which plan, grants, and what Stripe sent."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from accounts.admin.base import OfAccountAdmin, StaffAdmin, acting
from accounts.admin.confirmation import confirmed
from accounts.templatetags.amounts import amount
from billing.models import Grant, StripeEvent, Subscription
from billing.webhooks.staff import replay_by


@admin.register(Subscription)
class SubscriptionAdmin(StaffAdmin):
    """Which account is on which plan, and since when it owes."""

    list_display = ("account", "plan", "stripe_status", "unpaid_since", "synced_at")
    list_filter = ("plan", "stripe_status", ("unpaid_since", admin.EmptyFieldListFilter))
    list_select_related = ("account", "plan")
    search_fields = ("account__public_id__exact", "stripe_customer__exact")
    hidden = ("checkouts",)


@admin.register(Grant)
class GrantAdmin(OfAccountAdmin):
    """What staff granted, to whom, why and until when."""

    list_display = ("account", "room", "grace_days", "ends_at", "granted_label", "reason")
    list_select_related = ("account",)

    @admin.display(description="room")
    def room(self, given: Grant) -> str:
        """Extra quota in decimal units."""
        return amount(given.quota_bytes)


@admin.register(StripeEvent)
class StripeEventAdmin(StaffAdmin):
    """What Stripe sent, and what became of it. Its body may name a customer, so it is not shown."""

    list_display = ("event_id", "type", "state", "attempts", "received_at", "error")
    list_filter = ("state",)
    search_fields = ("event_id__exact", "customer__exact")
    hidden = ("body", "lease")
    actions = ("replay",)

    @admin.action(description="Replay: work these off again", permissions=["change"])
    def replay(self, request: HttpRequest, queryset: QuerySet[StripeEvent]) -> HttpResponse | None:
        """Have the chosen events worked off again: their customers are asked for at Stripe."""
        consequence = (
            "Each one’s customer is read from Stripe again, and their account brought to what "  # noqa: RUF001
            "Stripe says now. Doing so twice does no harm."
        )
        answer = confirmed(
            self,
            request,
            queryset,
            name="replay",
            title="Replay these events",
            consequence=consequence,
        )
        if answer is None:
            count = replay_by([event.event_id for event in queryset], actor=acting(request))
            messages.success(request, f"{count} will be worked off again within a minute.")
        return answer
