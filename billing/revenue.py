"""What subscriptions bring in a month, and which of them are not paid: figures for staff."""

from dataclasses import dataclass

from django.db.models import Count

from billing.models import Interval, Plan, Subscription

PAYING = ("active", "past_due")  # as Stripe calls subscriptions for which money comes, or is due


@dataclass(frozen=True)
class PlanRevenue:
    """A plan, how many pay for it, and what they pay a month at list prices, in cents."""

    plan: Plan
    subscribers: int
    cents: int


def monthly_revenue() -> list[PlanRevenue]:
    """Return what each plan brings a month, a year's price in twelve parts: two queries.

    At list prices: without coupons and taxes, and without what somebody pays by an older price.
    """
    paying = Subscription.objects.filter(stripe_status__in=PAYING).exclude(stripe_subscription="")
    rows = paying.order_by().values_list("plan", "interval").annotate(n=Count("pk"))
    counts = {(plan, interval): number for plan, interval, number in rows}
    found = []
    for plan in Plan.objects.all():
        months, years = (counts.get((plan.pk, every.value), 0) for every in Interval)
        if months or years:
            cents = months * plan.month_cents + round(years * plan.year_cents / 12)
            found.append(PlanRevenue(plan, months + years, cents))
    return found


def failing_payments() -> int:
    """Return how many accounts owe a payment that failed."""
    return Subscription.objects.filter(unpaid_since__isnull=False).count()
