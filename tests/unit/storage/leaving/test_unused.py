"""An account on the free plan that nobody uses is told three times, then closed."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from allauth.usersessions.models import UserSession

from accounts.access import Seat
from accounts.audit import SERVICE
from accounts.models import Account, ApiToken, Closing, Delivery, Notice, User
from accounts.tokens import tokens
from backup_service import clock
from billing.actions import subscribe
from billing.grants import grant
from storage.leaving import unused
from storage.models import Credential, Vault
from storage.vaults.enrolment import create_vault
from tests.unit.storage.conftest import person

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def account() -> Account:
    """Alice's, with a vault and a token, all as old as it."""
    account = person("alice@example.org", plan="free")
    create_vault(account, name="laptop", actor=SERVICE)
    seat = Seat(account.memberships.get())
    tokens.create(seat.membership, scope="read", label="t", actor=SERVICE)
    return account


def tend(days: float) -> list[str]:
    """Look on that day, with mails that arrive; return what was told in all."""
    with clock.travelled(days * DAY + timedelta(minutes=5)):
        unused.tend()
        unused.tend()
        Delivery.objects.update(state=Delivery.State.SENT)
    told = Notice.objects.filter(kind="account-unused").order_by("pk")
    return [key.rpartition(":")[2] for key in told.values_list("key", flat=True)]


def is_closed(account: Account) -> bool:
    return Closing.objects.filter(account=account).exists()


def test_three_notices_and_then_the_end(account: Account) -> None:
    assert tend(304) == []
    assert tend(305) == ["60"]
    assert tend(330) == ["60"]
    assert tend(335.1) == ["60", "30"]
    assert tend(358.2) == ["60", "30", "7"]
    assert not is_closed(account)
    tend(365.3)
    closing = Closing.objects.get(account=account)
    assert closing.reason == "inactive"
    assert closing.erase_after - closing.closed_at == 30 * DAY


def on_sign_in(account: Account, at: datetime) -> None:
    User.objects.update(last_login=at)


def on_session(account: Account, at: datetime) -> None:
    user = account.memberships.get().user
    row = UserSession.objects.create(user=user, ip="::1", session_key="k", user_agent="x")
    UserSession.objects.filter(pk=row.pk).update(last_seen_at=at)


def on_credential(account: Account, at: datetime) -> None:
    Credential.objects.update(last_used_at=at)


def on_backup(account: Account, at: datetime) -> None:
    Vault.objects.update(last_snapshot_at=at)


def on_token(account: Account, at: datetime) -> None:
    ApiToken.objects.update(last_used_at=at)


@pytest.mark.parametrize("use", [on_sign_in, on_session, on_credential, on_backup, on_token])
def test_any_use_ends_it(account: Account, use: Callable[[Account, datetime], None]) -> None:
    for day in (305, 335.1, 358.2):
        tend(day)
    use(account, clock.now() + 364 * DAY)
    tend(365.3)
    tend(600)
    assert not is_closed(account)
    assert tend(364 + 305) == ["60", "30", "7", "60"]


def test_a_paid_plan_or_a_grant_is_left_alone(account: Account) -> None:
    subscribe(account, plan="personal", actor=SERVICE)
    assert tend(2000) == []
    subscribe(account, plan="free", actor=SERVICE)
    with clock.travelled(1990 * DAY):
        grant(account, quota_bytes=1, days=30, reason="test", actor=SERVICE)
    assert tend(2000) == []
    assert tend(2030) == ["60"]


def test_nothing_is_closed_that_nobody_could_be_told_of(account: Account) -> None:
    for day in (305, 335.1, 358.2, 365.3, 900):
        with clock.travelled(day * DAY + timedelta(minutes=5)):
            unused.tend()
    assert not is_closed(account)
