"""Reads how an account stands with Stripe, and writes that into its subscription's row."""

import logging
from datetime import datetime, timedelta
from typing import Any

import stripe
from django.db import transaction

from accounts import audit
from accounts.audit import SERVICE
from accounts.models import Account
from backup_service import clock
from billing.actions import DEFAULT_PLAN
from billing.models import Plan, Subscription
from billing.stripe import duplicates
from billing.stripe.client import A_PAGE, Object, everything, is_missing, plain, speaking
from billing.stripe.reading import Reading, read, the_one_that_counts

log = logging.getLogger(__name__)
EVERY = timedelta(days=1)
# Stripe finalises a renewal's invoice an hour after the period's end, and then tries the card.
PERIOD_SLACK, RETRY_SLACK = timedelta(minutes=90), timedelta(minutes=10)
_OPEN_DISPUTES = (
    "needs_response",
    "under_review",
    "warning_needs_response",
    "warning_under_review",
)
_MIRRORED = ("interval", "period_ends_at", "cancels_at_period_end", "scheduled_interval")


def sync(account: Account) -> Subscription | None:
    """Bring an account's row to what Stripe says now; None if it never was a customer there.

    Raises PaymentError.
    """
    row = Subscription.objects.filter(account=account).first()
    return sync_customer(row.stripe_customer) if row and row.stripe_customer else None


def sync_customer(customer: str) -> Subscription | None:
    """Bring the row of a customer of Stripe's to what Stripe says now; None for one not ours.

    Whoever began to read later wins, so that two at the same time leave the newer state. Raises
    PaymentError.
    """
    row = Subscription.objects.filter(stripe_customer=customer).first() if customer else None
    if row is None:
        return None
    begun = clock.now()
    found = _ask(customer, row.stripe_subscription)
    if found.extra and duplicates.end(customer, found):
        begun, found = clock.now(), _ask(customer, row.stripe_subscription)
    return _write(customer, found, begun=begun)


def _ask(customer: str, known: str) -> Reading:
    with speaking() as client:
        try:
            subscriptions = everything(
                client.v1.subscriptions.list(
                    {"customer": customer, "status": "all", "limit": A_PAGE}
                )
            )
            invoices = [
                one
                for status in ("open", "uncollectible")
                for one in everything(
                    client.v1.invoices.list(
                        {
                            "customer": customer,
                            "status": "open" if status == "open" else "uncollectible",
                            "limit": A_PAGE,
                        }
                    )
                )
            ]
        except stripe.InvalidRequestError as error:
            if not is_missing(error):
                raise
            return Reading()  # the customer was deleted at Stripe, and with it what they paid for
        chosen = the_one_that_counts(subscriptions, invoices, known=known)
        schedule = _schedule(client, chosen)
        disputed = _is_disputed(client, customer)
    return read(subscriptions, invoices, known=known, schedule=schedule, is_disputed=disputed)


def _schedule(client: stripe.StripeClient, chosen: Object | None) -> Object | None:
    name = (chosen or {}).get("schedule")
    if not name:
        return None
    wish = {"expand": ["phases.items.price"]}
    return plain(client.v1.subscription_schedules.retrieve(str(name), wish))  # type: ignore[arg-type]


def _is_disputed(client: stripe.StripeClient, customer: str) -> bool:
    """Return whether the bank of a customer has taken a payment back, and that is not settled."""
    charges = client.v1.charges.list({"customer": customer, "limit": 20}).data
    return any(
        dispute.status in _OPEN_DISPUTES
        for charge in charges
        if charge.disputed
        for dispute in client.v1.disputes.list({"charge": charge.id}).data
    )


@transaction.atomic
def _write(customer: str, found: Reading, *, begun: datetime) -> Subscription | None:
    rows = Subscription.objects.select_for_update(no_key=True, of=("self",))
    row = rows.select_related("plan", "account").filter(stripe_customer=customer).first()
    if row is None:
        return None
    # A row from the future was written by a clock that was ahead.
    if row.synced_at and begun < row.synced_at <= clock.now() + timedelta(minutes=5):
        return row
    before = (row.plan, row.unpaid_since, row.is_disputed)
    _apply(row, found)
    row.synced_at, row.next_sync_at = begun, _next_sync(row)
    row.save()
    _record(row, *before)
    return row


def _apply(row: Subscription, found: Reading) -> None:
    if found.subscription:
        plan = Plan.objects.filter(slug=found.plan).first()
        if plan is None:
            log.error("Stripe's subscription %s is for no plan of ours", found.subscription)
        _put_on(row, plan or row.plan)
    elif row.stripe_subscription:  # it has ended; what staff gave by hand is left alone
        _put_on(row, Plan.objects.get(slug=DEFAULT_PLAN))
    for name in _MIRRORED:
        setattr(row, name, getattr(found, name))
    row.stripe_subscription, row.stripe_status = found.subscription, found.status
    row.scheduled_plan = Plan.objects.filter(slug=found.scheduled_plan).first()
    row.retry_at, row.is_disputed = found.retry_at, found.is_disputed
    row.unpaid_since = found.unpaid_since
    if row.unpaid_since is None:
        row.deletion_announced_at = None


def _next_sync(row: Subscription) -> datetime:
    """Return when to ask again if no event comes: daily, and soon after what is planned."""
    now = clock.now()
    planned = [
        moment + slack
        for moment, slack in ((row.period_ends_at, PERIOD_SLACK), (row.retry_at, RETRY_SLACK))
        if moment is not None and moment + slack > now
    ]
    return min([now + EVERY, *planned])


def _put_on(row: Subscription, plan: Plan) -> None:
    if row.plan_id != plan.pk:
        row.plan, row.plan_since = plan, clock.now()


def _record(row: Subscription, plan: Plan, owed: datetime | None, was_disputed: bool) -> None:
    def say(verb: str, **detail: Any) -> None:
        audit.record(SERVICE, verb, row.account.public_id, account=row.account, **detail)

    if plan.pk != row.plan_id:
        say("plan.change", plan=row.plan.slug, before=plan.slug)
    if owed is None and row.unpaid_since is not None:
        say("payment.fail", since=row.unpaid_since.isoformat())
    if owed is not None and row.unpaid_since is None:
        say("payment.settle")
    if row.is_disputed and not was_disputed:
        say("payment.dispute")
