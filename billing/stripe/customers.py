"""Which customer of Stripe's an account is."""

import stripe
from django.db import transaction

from accounts.models import Account, Membership, User
from billing.actions import DEFAULT_PLAN
from billing.models import Plan, Subscription
from billing.stripe.client import is_missing, plain, speaking
from billing.stripe.reading import ACCOUNT_METADATA

OWNER_METADATA, ADDRESS_METADATA = "nightsafe_owner", "nightsafe_address"


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
    owner = _owner(account)
    with speaking() as client:
        made = client.v1.customers.create(
            {
                "name": account.name,
                "email": owner.email if owner else "",
                "metadata": {ACCOUNT_METADATA: account.public_id, **_contact(owner)},
            },
            # Another key when the one before was deleted at Stripe, or its answer comes again.
            {"idempotency_key": f"customer:{account.public_id}:{row.stripe_customer}"},
        )
    with transaction.atomic():
        mine = Subscription.objects.filter(pk=row.pk, stripe_customer=row.stripe_customer)
        mine.update(stripe_customer=made.id)
        return Subscription.objects.values_list("stripe_customer", flat=True).get(pk=row.pk)


def keep_contact(row: Subscription) -> None:
    """Have Stripe write to whoever owns the account now, by the address that they have now.

    One that somebody has given at Stripe's portal stays while they own it. Raises PaymentError.
    """
    owner = _owner(row.account)
    if owner is None:
        return
    with speaking() as client:
        try:
            found = plain(client.v1.customers.retrieve(row.stripe_customer))
        except stripe.InvalidRequestError as error:
            if is_missing(error):
                return
            raise
        known = found.get("metadata") or {}
        if found.get("deleted") or known.items() >= _contact(owner).items():
            return
        is_theirs = known.get(OWNER_METADATA) == str(owner.pk)
        has_own = is_theirs and found.get("email") != known.get(ADDRESS_METADATA)
        address = str(found.get("email") or "") if has_own else owner.email
        client.v1.customers.update(
            row.stripe_customer, {"email": address, "metadata": _contact(owner)}
        )


def _owner(account: Account) -> User | None:
    seats = Membership.objects.filter(account=account, role=Membership.Role.OWNER)
    seat = seats.select_related("user").order_by("pk").first()
    return seat.user if seat else None


def _contact(owner: User | None) -> dict[str, str]:
    """Return who Stripe was told to write to, and by which address, as it is noted there."""
    return {OWNER_METADATA: str(owner.pk), ADDRESS_METADATA: owner.email} if owner else {}


def _is_there(customer: str) -> bool:
    with speaking() as client:
        try:
            return not plain(client.v1.customers.retrieve(customer)).get("deleted")
        except stripe.InvalidRequestError as error:
            if is_missing(error):
                return False
            raise
