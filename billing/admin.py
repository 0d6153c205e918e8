"""Staff pages about accounts and plans."""

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.actions import choose_continent, freeze_account, unfreeze_account
from accounts.admin.base import StaffAdmin, acting
from accounts.continents import Continent
from accounts.models import Account
from accounts.templatetags.amounts import amount, price
from billing.actions import subscribe
from billing.models import Grant, Plan, StripeEvent, Subscription

ANYWHERE = "anywhere"


class Choices(ActionForm):
    """The plan, or the continent, that some actions take."""

    plan = forms.ModelChoiceField(
        Plan.objects.all(), to_field_name="slug", required=False, empty_label="plan…"
    )
    continent = forms.ChoiceField(
        choices=[("", "continent…"), (ANYWHERE, "Anywhere"), *Continent.choices], required=False
    )


@admin.register(Account)
class AccountAdmin(StaffAdmin):
    """Accounts with their plans, usage and state."""

    list_display = ("name", "public_id", "state", "plan", "continent", "stored", "removed")
    list_filter = ("state", "subscription__plan", "continent")
    list_select_related = ("subscription__plan", "usage")
    search_fields = (
        "public_id__exact",
        "memberships__user__email__istartswith",
        "name__istartswith",
    )
    action_form = Choices
    actions = ("freeze", "unfreeze", "put_on_plan", "put_on_continent")

    @admin.display(description="plan")
    def plan(self, account: Account) -> str:
        """The plan's name; without a subscription it is the free one."""
        subscription = getattr(account, "subscription", None)
        return subscription.plan.name if subscription else "Free"

    @admin.display(description="stored")
    def stored(self, account: Account) -> str:
        """Live bytes."""
        usage = getattr(account, "usage", None)
        return amount(usage.live_bytes) if usage else amount(0)

    @admin.display(description="removed, kept")
    def removed(self, account: Account) -> str:
        """Tombstoned bytes."""
        usage = getattr(account, "usage", None)
        return amount(usage.tombstoned_bytes) if usage else amount(0)

    @admin.action(description="Freeze: pause new backups, restores go on", permissions=["change"])
    def freeze(self, request: HttpRequest, queryset: QuerySet[Account]) -> None:
        """Freeze the chosen accounts that are active."""
        frozen = sum(freeze_account(account, actor=acting(request)) for account in queryset)
        messages.success(request, f"{frozen} of {len(queryset)} frozen.")

    @admin.action(description="Lift the freeze", permissions=["change"])
    def unfreeze(self, request: HttpRequest, queryset: QuerySet[Account]) -> None:
        """Let the chosen accounts that are frozen store again."""
        lifted = sum(unfreeze_account(account, actor=acting(request)) for account in queryset)
        messages.success(request, f"{lifted} of {len(queryset)} active again.")

    @admin.action(description="Put on the plan chosen here:", permissions=["change"])
    def put_on_plan(self, request: HttpRequest, queryset: QuerySet[Account]) -> None:
        """Change the plan of the chosen accounts at once."""
        plan = Plan.objects.filter(slug=request.POST.get("plan", "")).first()
        if plan is None:
            messages.error(request, "Choose a plan beside the action; nothing was changed.")
            return
        for account in queryset:
            subscribe(account, plan=plan.slug, actor=acting(request))
        messages.success(request, f"{len(queryset)} on the plan {plan.name}.")

    @admin.action(description="New backups on the continent chosen here:", permissions=["change"])
    def put_on_continent(self, request: HttpRequest, queryset: QuerySet[Account]) -> None:
        """Change where new backups of the chosen accounts live."""
        wanted = request.POST.get("continent", "")
        if wanted not in (ANYWHERE, *Continent.values):
            messages.error(request, "Choose a continent beside the action; nothing was changed.")
            return
        continent = "" if wanted == ANYWHERE else wanted
        for account in queryset:
            choose_continent(account, continent=continent, actor=acting(request))
        messages.success(request, f"{len(queryset)} on the continent {wanted}.")


@admin.register(Plan)
class PlanAdmin(StaffAdmin):
    """Plans on offer. Changing one changes it for everybody who is on it."""

    list_display = ("name", "slug", "quota", "device_limit", "copies", "monthly", "on_offer")
    ordering = ("rank",)
    editable = (
        "name",
        "quota_bytes",
        "device_limit",
        "copies",
        "month_cents",
        "year_cents",
        "rooms",
        "on_offer",
        "rank",
    )

    @admin.display(description="quota")
    def quota(self, plan: Plan) -> str:
        """Room in decimal units."""
        return amount(plan.quota_bytes)

    @admin.display(description="a month")
    def monthly(self, plan: Plan) -> str:
        """Price in dollars."""
        return price(plan.month_cents)


@admin.register(Subscription)
class SubscriptionAdmin(StaffAdmin):
    """Which account is on which plan, and since when it owes."""

    list_display = ("account", "plan", "stripe_status", "unpaid_since", "synced_at")
    list_filter = ("plan", "stripe_status")
    list_select_related = ("account", "plan")
    search_fields = ("account__public_id__exact", "stripe_customer__exact")
    hidden = ("checkouts",)


@admin.register(Grant)
class GrantAdmin(StaffAdmin):
    """What staff granted, to whom, why and until when."""

    list_display = ("account", "room", "grace_days", "ends_at", "granted_label", "reason")
    list_select_related = ("account",)
    search_fields = ("account__public_id__exact",)

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
