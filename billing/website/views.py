"""Pages about what an account pays and what for."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.access import present_seat
from accounts.roles import Right
from accounts.website.reauthentication import require_presence
from billing.models import Interval, Plan, Subscription
from billing.state import state_of
from billing.stripe import checkout
from billing.stripe.client import is_configured
from billing.stripe.errors import PaymentError
from billing.stripe.invoices import Statement, statement_of
from billing.stripe.sync import sync
from billing.website.csp import leads_to_payment
from billing.website.words import next_steps, sentence


@login_required
@never_cache
@require_safe
@leads_to_payment
def overview(request: HttpRequest) -> HttpResponse:
    """The plan, what is used of it, how payments stand, and what happens when."""
    seat = present_seat(request).require(Right.SEE_BILLING)
    state = state_of(seat.account)
    context = {
        "account": seat.account,
        "state": state,
        "sentence": sentence(state),
        "steps": next_steps(state),
        "may_pay": seat.may(Right.CHANGE_BILLING),
        "takes_payments": is_configured(),
    }
    return render(request, "billing/overview.html", context | _statement(state.subscription))


@login_required
@never_cache
@require_safe
@leads_to_payment
def plans(request: HttpRequest) -> HttpResponse:
    """The plans on offer, by the month or by the year; with `plan`, the one that was chosen."""
    account = present_seat(request).require(Right.CHANGE_BILLING).account
    wanted = request.GET.get("interval", Interval.MONTH)
    interval = Interval.YEAR if wanted == Interval.YEAR else Interval.MONTH
    state = state_of(account)
    on_offer = list(Plan.objects.filter(on_offer=True))
    chosen = next((one for one in on_offer if one.slug == request.GET.get("plan")), None)
    offers = [(plan, plan.cents(interval)) for plan in ([chosen] if chosen else on_offer)]
    context = {
        "chosen": chosen,
        "state": state,
        "interval": interval.value,
        "offers": offers,
        "takes_payments": is_configured(),
    }
    return render(request, "billing/plans.html", context)


@login_required
@require_POST
@leads_to_payment
def start_checkout(request: HttpRequest) -> HttpResponse:
    """Lead to the page at which a plan is paid for."""
    account = present_seat(request).require(Right.CHANGE_BILLING).account
    plan = Plan.objects.filter(slug=request.POST.get("plan", "")).first()
    interval = request.POST.get("interval", "")
    if plan is None or interval not in Interval.values:
        messages.error(request, gettext("Choose one of these plans; nothing was changed."))
        return redirect("billing_plans")
    try:
        return redirect(checkout.checkout(account, plan=plan, interval=interval))
    except PaymentError as error:
        messages.error(request, str(error))
        return redirect("billing")


@login_required
@require_POST
@leads_to_payment
def open_portal(request: HttpRequest) -> HttpResponse:
    """Lead to the portal: another plan or card, cancelling, invoices."""
    account = present_seat(request).require(Right.CHANGE_BILLING).account
    require_presence(request)  # it shows addresses and cards, and cancels
    try:
        return redirect(checkout.portal(account))
    except PaymentError as error:
        messages.error(request, str(error))
        return redirect("billing")


@login_required
@never_cache
@require_safe
def come_back(request: HttpRequest) -> HttpResponse:
    """Ask at once how things stand, and show it: a message of Stripe's may come later or never."""
    account = present_seat(request).require(Right.SEE_BILLING).account
    try:
        row = sync(account)
    except PaymentError:
        row = None
        messages.warning(
            request,
            gettext(
                "The payment service cannot be asked at this moment. If you have paid, your plan "
                "changes by itself within minutes."
            ),
        )
    else:
        if row is not None and row.is_paid_for:
            messages.success(
                request,
                gettext("Your account is on the plan %(plan_name)s.")
                % {"plan_name": row.plan.name},
            )
    return redirect("billing")


def _statement(subscription: Subscription | None) -> dict[str, object]:
    """Return invoices for the page; without them if Stripe cannot be asked."""
    try:
        return {"statement": statement_of(subscription), "invoices_are_away": False}
    except PaymentError:
        return {"statement": Statement(), "invoices_are_away": is_configured()}
