"""The staff page about plans. A change is shown with what it does before it is made."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse

from accounts.admin.base import StaffAdmin, acting
from accounts.templatetags.amounts import amount, price
from billing import plans
from billing.models import Plan

if TYPE_CHECKING:
    _Form = forms.ModelForm[Plan]
else:
    _Form = forms.ModelForm
GB = 10**9
WORDS = {
    "quota_bytes": ("quota", amount),
    "month_cents": ("price a month", price),
    "year_cents": ("price a year", price),
    "device_limit": ("devices", lambda limit: "no limit" if limit is None else str(limit)),
}


class PlanForm(_Form):
    """A plan in gigabytes (10^9 bytes) and dollars."""

    quota_gb = forms.DecimalField(
        label="Quota in GB", min_value=1, max_value=10**6, decimal_places=3
    )
    month_dollars = forms.DecimalField(
        label="Price a month in dollars", min_value=0, max_value=10_000, decimal_places=2
    )
    year_dollars = forms.DecimalField(
        label="Price a year in dollars", min_value=0, max_value=10_000, decimal_places=2
    )
    copies = forms.IntegerField(min_value=2, max_value=9)
    device_limit = forms.IntegerField(
        min_value=1, max_value=10_000, required=False, help_text="Empty: no limit"
    )

    rank = forms.IntegerField(label="Place in the list of plans", min_value=0, max_value=1000)

    class Meta:
        model = Plan
        fields = ("name", "device_limit", "copies", "rooms", "on_offer", "rank")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        plan = self.instance
        self.initial = dict(self.initial) | {
            "quota_gb": f"{(Decimal(plan.quota_bytes) / GB).normalize():f}",
            "month_dollars": Decimal(plan.month_cents) / 100,
            "year_dollars": Decimal(plan.year_cents) / 100,
        }

    @property
    def wanted(self) -> dict[str, Any]:
        """The plan's values, in the units of its row."""
        given = dict(self.cleaned_data)
        return {
            "quota_bytes": int(given.pop("quota_gb") * GB),
            "month_cents": int(given.pop("month_dollars") * 100),
            "year_cents": int(given.pop("year_dollars") * 100),
            **given,
        }


@admin.register(Plan)
class PlanAdmin(StaffAdmin):
    """Plans on offer. Changing one changes it for everybody who is on it."""

    list_display = ("name", "slug", "quota", "device_limit", "copies", "monthly", "on_offer")
    ordering = ("rank",)
    editable = ("name", "device_limit", "copies", "rooms", "on_offer", "rank")

    @admin.display(description="quota")
    def quota(self, plan: Plan) -> str:
        """Room in decimal units."""
        return amount(plan.quota_bytes)

    @admin.display(description="a month")
    def monthly(self, plan: Plan) -> str:
        """Price in dollars."""
        return price(plan.month_cents)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show a plan; to whoever may change it, with a form that asks before it does so."""
        plan = self.get_object(request, object_id)
        if plan is None or not self.has_change_permission(request, plan):
            return super().change_view(request, object_id, form_url, extra_context)
        form = PlanForm(request.POST or None, instance=Plan.objects.get(pk=plan.pk))
        context: dict[str, Any] = {"form": form, "plan": plan}
        if request.method == "POST" and form.is_valid():
            try:
                if request.POST.get("sure") == "yes":
                    return self._change(request, plan, form)
                context["effect"] = _words(plans.effect(plan, form.wanted))
            except plans.TooSmallError as error:
                form.add_error(None, str(error))
        context |= self.admin_site.each_context(request) | {"title": f"Plan {plan.name}"}
        return TemplateResponse(request, "admin/billing/plan/change.html", context)

    def _change(self, request: HttpRequest, plan: Plan, form: PlanForm) -> HttpResponse:
        done = plans.change_plan(plan, form.wanted, actor=acting(request))
        if done.changes:
            messages.success(request, f"Changed for {done.accounts} accounts.")
        else:
            messages.info(request, "That is how it was; nothing was changed.")
        return redirect(reverse("admin:billing_plan_changelist"))


def _words(found: plans.Effect) -> dict[str, Any]:
    """Return what a change does, for the page that asks about it."""
    rows = []
    for name, (before, after) in found.changes.items():
        label, shown = WORDS.get(name, (name.replace("_", " "), str))
        rows.append((label, shown(before), shown(after)))
    prices = {"month_cents", "year_cents"}
    return {
        "rows": rows,
        "accounts": found.accounts,
        "has_prices": bool(prices & found.changes.keys()),
    }
