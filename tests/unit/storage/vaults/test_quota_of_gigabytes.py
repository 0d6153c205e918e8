"""The cap holds for quotas beyond 32 bits, on every database."""

import pytest

from accounts.actions import open_account
from accounts.models import Account, User
from storage.errors import OverQuotaError
from storage.models import Usage
from storage.vaults import quota

pytestmark = pytest.mark.django_db
GB = 10**9


@pytest.fixture
def full() -> Account:
    account = open_account(User.objects.create_user("full@example.org"))
    Usage.objects.create(account=account, live_bytes=6 * GB)
    return account


def test_nothing_is_reserved_beyond_it(full: Account) -> None:
    with pytest.raises(OverQuotaError):
        quota.reserve_bytes(full, [GB], quota.Allowance(5 * GB))
    quota.reserve_bytes(full, [GB], quota.Allowance(8 * GB))
    assert Usage.objects.get().reserved_bytes == GB


def test_what_was_reserved_may_not_finish_in_a_smaller_plan(full: Account) -> None:
    quota.require_within(full, 6 * GB)
    with pytest.raises(OverQuotaError):
        quota.require_within(full, 4 * GB)
