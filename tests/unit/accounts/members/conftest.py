"""A household: Olga owns it, Adam is admin, Mia a member, Axel an auditor."""

import pytest

from accounts.access import Seat
from accounts.actions import open_account
from accounts.models import Account, Membership, User
from tests.unit.website.conftest import person


def seat_in(account: Account, email: str, role: str) -> Seat:
    user = User.objects.filter(email=email).first() or person(email)
    return Seat(Membership.objects.create(account=account, user=user, role=role))


@pytest.fixture
def olga(db: None) -> Seat:
    return Seat(open_account(person("olga@example.org")).memberships.get())


@pytest.fixture
def adam(olga: Seat) -> Seat:
    return seat_in(olga.account, "adam@example.org", "admin")


@pytest.fixture
def mia(olga: Seat) -> Seat:
    return seat_in(olga.account, "mia@example.org", "member")


@pytest.fixture
def axel(olga: Seat) -> Seat:
    return seat_in(olga.account, "axel@example.org", "auditor")
