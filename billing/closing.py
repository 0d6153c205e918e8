"""What closing an account means for its plan: the steps that speak to Stripe, and reopening."""

from datetime import timedelta

from django.db import transaction
from django.utils.translation import gettext

from accounts.audit import SERVICE, Actor
from accounts.closing import actions
from accounts.closing.actions import ClosingError
from accounts.closing.plan import CAN_REOPEN
from accounts.closing.work import Doing
from accounts.models import Account, Closing
from billing.models import Grant, StripeEvent, Subscription
from billing.stripe.leaving import delete_customer, end_subscriptions
from billing.stripe.sync import sync_customer

_UNPAID = {"unpaid_since__isnull": False}


class StillOwedError(ClosingError):
    """The account was closed since a payment is overdue, and it still is."""

    def __init__(self) -> None:
        super().__init__(
            gettext(
                "A payment is still overdue. Settle it on the page Billing: the account opens "
                "again by itself."
            )
        )


def reopen(account: Account, *, actor: Actor, note: str = "") -> None:
    """Open a closed account again. Raises StillOwedError, or ClosingError."""
    closing = Closing.objects.filter(account=account).first()
    if closing and closing.reason == Closing.Reason.UNPAID and _owes(account):
        raise StillOwedError
    actions.reopen(account, actor=actor, note=note)


def reopen_settled() -> int:
    """Open the accounts again that were closed for a debt which is paid now; return how many."""
    rows = Closing.objects.filter(reason=Closing.Reason.UNPAID, step__in=CAN_REOPEN)
    settled = rows.filter(account__subscription__unpaid_since=None)
    count = 0
    for row in settled.select_related("account").order_by("pk")[:200]:
        try:
            actions.reopen(row.account, actor=SERVICE)
            count += 1
        except ClosingError:
            continue  # its erasure has begun meanwhile
    return count


def begin_erasure(row: Closing) -> None:
    """Begin to erase an account, or open it again if its debt is paid by now. Raises PaymentError.

    Stripe is asked: its message that somebody has paid may come late or never, and whoever looks
    for settled debts may not have come by since.
    """
    found = Subscription.objects.filter(account=row.account_id).first()
    is_for_debt = row.reason == Closing.Reason.UNPAID and not row.is_hastened
    if is_for_debt and found is not None and found.stripe_customer:
        sync_customer(found.stripe_customer)
    with transaction.atomic():
        owing = Subscription.objects.select_for_update(no_key=True, of=("self",))
        if is_for_debt and not owing.filter(account=row.account_id, **_UNPAID).exists():
            actions.reopen(row.account, actor=SERVICE)
        else:
            actions.begin_erasure(row)


def end_subscription(row: Closing, until: float) -> timedelta | None:
    """End what a closed account pays for. Raises PaymentError.

    Where it was closed for a debt, that goes on until it is paid or the account erased: the debt
    is how it opens again.
    """
    found = Subscription.objects.filter(account=row.account_id).first()
    if found and found.stripe_customer and row.reason != Closing.Reason.UNPAID:
        end_subscriptions(found.stripe_customer)
        sync_customer(found.stripe_customer)
    return None


def forget_customer(row: Closing, until: float) -> timedelta | None:
    """Delete an account's customer at Stripe, and what came from there. Raises PaymentError."""
    found = Subscription.objects.filter(account=row.account_id).first()
    if found is not None and found.stripe_customer:
        end_subscriptions(found.stripe_customer)
        delete_customer(found.stripe_customer)
        with transaction.atomic():
            # Messages that come later are of a customer who is nobody's here, and not kept.
            StripeEvent.objects.filter(customer=found.stripe_customer).delete()
            Subscription.objects.filter(pk=found.pk).update(stripe_customer="")
    return None


def erase_rows(account: Account) -> None:
    """Delete what an account was on and was granted."""
    Grant.objects.filter(account=account).delete()
    Subscription.objects.filter(account=account).delete()


STEPS: dict[Closing.Step, Doing] = {
    Closing.Step.SUBSCRIPTION: end_subscription,
    Closing.Step.PAYMENTS: forget_customer,
}


def _owes(account: Account) -> bool:
    return Subscription.objects.filter(account=account, **_UNPAID).exists()
