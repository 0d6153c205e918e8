"""Which customer of Stripe's an account is."""

import stripe
from django.db import transaction

from accounts.models import Account, Membership
from billing.actions import DEFAULT_PLAN
from billing.models import Plan, Subscription
from billing.stripe.client import is_missing, plain, speaking
from billing.stripe.reading import ACCOUNT_METADATA


def row_of(account: Account) -> Subscription:
    """Return an account's subscription row; one on the free plan is made if there is none."""
    free = Plan.objects.get(slug=DEFAULT_PLAN)
    row, _ = Subscription.objects.get_or_create(account=account, defaults={"plan": free})
    return row


def ensure_customer(account: Account) -> str:
    """Return the id of an account's customer, made if there is none, or none any more.

    Two who ask at the same time get the same one: Stripe's idempotency key is the account, and the
    row takes the first. Raises PaymentError.
    """
    row = row_of(account)
    if row.stripe_customer and _is_there(row.stripe_customer):
        return row.stripe_customer
    owner = Membership.objects.filter(account=account, role=Membership.Role.OWNER).first()
    with speaking() as client:
        made = client.v1.customers.create(
            {
                "name": account.name,
                "email": owner.user.email if owner else "",
                "metadata": {ACCOUNT_METADATA: account.public_id},
            },
            # Another key when the one before was deleted at Stripe, or its answer comes again.
            {"idempotency_key": f"customer:{account.public_id}:{row.stripe_customer}"},
        )
    with transaction.atomic():
        mine = Subscription.objects.filter(pk=row.pk, stripe_customer=row.stripe_customer)
        mine.update(stripe_customer=made.id)
        return Subscription.objects.values_list("stripe_customer", flat=True).get(pk=row.pk)


def _is_there(customer: str) -> bool:
    with speaking() as client:
        try:
            return not plain(client.v1.customers.retrieve(customer)).get("deleted")
        except stripe.InvalidRequestError as error:
            if is_missing(error):
                return False
            raise
