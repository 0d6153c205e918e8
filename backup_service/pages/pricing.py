"""What the plans cost, by the month or by the year."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from urllib.parse import urlencode

from django import template
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from accounts.templatetags.amounts import in_dollars
from backup_service.pages.public import offer, places, public
from billing.models import Interval, Plan

GB = 10**9
MONTHS = 12
register = template.Library()
register.simple_tag(places)


@dataclass(frozen=True)
class Price:
    """A plan at the pace of payment that was chosen. Amounts in cents."""

    plan: Plan
    cents: int  # for each payment
    month_cents: int  # what that is a month, rounded
    gb: str  # what a GB of the plan costs a month, in dollars; empty for nothing
    saved: int  # by a year's payment, against twelve of a month


def prices(plans: list[Plan], *, yearly: bool) -> list[Price]:
    """Return what the plans cost, paid by the year or by the month."""
    return [_price(plan, yearly=yearly) for plan in plans]


def _price(plan: Plan, *, yearly: bool) -> Price:
    months = MONTHS if yearly else 1
    cents = plan.year_cents if yearly else plan.month_cents
    month = Decimal(cents) / months
    saved = max(0, MONTHS * plan.month_cents - plan.year_cents)
    return Price(
        plan=plan,
        cents=cents,
        month_cents=int(month.quantize(Decimal(1), ROUND_HALF_UP)),
        gb=_for_a_gb(month, plan.quota_bytes) if cents else "",
        saved=saved if yearly else 0,
    )


def _for_a_gb(month_cents: Decimal, quota_bytes: int) -> str:
    """Return dollars with as many digits as cents have halves: $0.025."""
    dollars = month_cents / 100 * GB / max(1, quota_bytes)
    return in_dollars(f"{dollars.quantize(Decimal('0.001'), ROUND_HALF_UP).normalize():f}")


@register.simple_tag
def choice(plan: Plan, yearly: bool) -> str:
    """Return the address at which an account confirms that it wants a plan."""
    interval = Interval.YEAR if yearly else Interval.MONTH
    wanted = urlencode({"plan": plan.slug, "interval": interval.value})
    return f"{reverse('billing_plans')}?{wanted}"


@public
def pricing(request: HttpRequest) -> HttpResponse:
    """Show the plans; `?every=year` as paid by the year."""
    found = offer()
    yearly = request.GET.get("every") == "year"
    context = found | {"yearly": yearly, "prices": prices(found["plans"], yearly=yearly)}
    return render(request, "public/pricing.html", context)
