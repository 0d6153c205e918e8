"""Whom the payment service writes to: whoever owns the account now."""

from accounts.models import Account, Membership, User
from billing import reconcile
from tests.unit.billing.conftest import Payments


def address(payments: Payments, account: Account) -> str | None:
    return payments.stripe.v1.customers.retrieve(customer_of(payments, account)).email


def customer_of(payments: Payments, account: Account) -> str:
    return payments.synced(account).stripe_customer


def reconciled() -> None:
    reconcile.reconcile_all()
    assert reconcile.reconcile_due(seconds=30) == 1


def hand_over(account: Account, email: str) -> None:
    """Give an account to somebody else, and forget who had it."""
    before = account.memberships.get(role=Membership.Role.OWNER)
    new = User.objects.create_user(email, "a slot in the wall")
    account.memberships.create(user=new, role=Membership.Role.OWNER)
    before.delete()


def test_a_new_owner_gets_the_mails_and_the_old_address_is_gone(
    payments: Payments, alice: Account
) -> None:
    payments.subscribe(alice)
    assert address(payments, alice) == "alice@example.org"
    hand_over(alice, "carol@example.org")
    reconciled()
    assert address(payments, alice) == "carol@example.org"
    kept = payments.stripe.v1.customers.retrieve(customer_of(payments, alice))
    assert "alice@example.org" not in str(kept)


def test_an_owner_s_new_address_is_told(payments: Payments, alice: Account) -> None:
    payments.subscribe(alice)
    User.objects.filter(email="alice@example.org").update(email="alice@new.example.org")
    reconciled()
    assert address(payments, alice) == "alice@new.example.org"


def test_an_address_that_was_given_at_the_portal_stays_while_the_owner_does(
    payments: Payments, alice: Account
) -> None:
    payments.subscribe(alice)
    customer = customer_of(payments, alice)
    payments.stripe.v1.customers.update(customer, {"email": "bills@example.org"})
    reconciled()
    assert address(payments, alice) == "bills@example.org"
    User.objects.filter(email="alice@example.org").update(email="alice@new.example.org")
    reconciled()
    assert address(payments, alice) == "bills@example.org"
    hand_over(alice, "carol@example.org")
    reconciled()
    assert address(payments, alice) == "carol@example.org"


def test_what_is_known_there_is_not_written_again(payments: Payments, alice: Account) -> None:
    payments.subscribe(alice)
    before = len(payments.events())
    reconciled()
    assert len(payments.events()) == before


def test_a_customer_that_was_deleted_there_is_left_alone(
    payments: Payments, alice: Account
) -> None:
    payments.subscribe(alice)
    payments.stripe.v1.customers.delete(customer_of(payments, alice))
    reconciled()
