"""The steps that act: telling, announcing the deletion, closing what was announced."""

from datetime import datetime, timedelta

import pytest

from accounts.actions import open_account
from accounts.audit import SERVICE
from accounts.models import Account, AuditEvent, Delivery, Notice, User
from accounts.notifications.registry import kind_of
from accounts.notifications.wording import iso
from backup_service import clock
from billing import unpaid
from billing.actions import subscribe
from billing.dunning import NoticeKind
from billing.grants import grant
from billing.models import Subscription
from storage.models import Usage

pytestmark = pytest.mark.django_db
GB = 10**9


@pytest.fixture
def account() -> Account:
    account = open_account(User.objects.create_user("alice@example.org"))
    subscribe(account, plan="personal", actor=SERVICE)
    return account


@pytest.fixture
def since(account: Account) -> datetime:
    """Since when the account owes."""
    now = clock.now()
    Subscription.objects.filter(account=account).update(unpaid_since=now)
    return now


def day(number: float) -> timedelta:
    return timedelta(days=number, minutes=1)


def tend(at: timedelta, times: int = 2) -> None:
    with clock.travelled(at):
        for _ in range(times):
            unpaid.tend()


def told() -> list[str]:
    return list(Notice.objects.order_by("pk").values_list("kind", flat=True))


def deliver(account: Account) -> None:
    Delivery.objects.filter(account=account).update(state=Delivery.State.SENT)


def test_each_notice_is_told_once_on_the_way_to_the_deletion(
    account: Account, since: datetime
) -> None:
    for half in range(2 * 95):
        tend(timedelta(days=half / 2, minutes=1), times=1 + half % 2)
        deliver(account)
    expected = ["payment-failed"] * 3 + ["payment-read-only"] * 4
    expected += ["payment-deletion-announced"] + ["payment-restore-only"] * 4
    assert told() == [*expected, "payment-restores-ended", "account-closed"]
    account.refresh_from_db()
    assert account.state == Account.State.CLOSED
    assert account.closed_at is not None
    assert account.closed_at - since >= timedelta(days=92)
    verbs = list(AuditEvent.objects.filter(account=account).values_list("verb", flat=True))
    assert verbs.count("deletion.announce") == verbs.count("account.close") == 1


def test_day_61_announces_and_names_the_day(account: Account, since: datetime) -> None:
    tend(day(60.9))
    assert "payment-deletion-announced" not in told()
    tend(day(61))
    row = Subscription.objects.get(account=account)
    assert row.deletion_announced_at is not None
    notice = Notice.objects.get(kind="payment-deletion-announced")
    due = row.deletion_announced_at + timedelta(days=31)
    assert notice.values["deletion"] == iso(due)
    assert Delivery.objects.filter(notice=notice).count() == 1


def test_nothing_is_closed_before_31_days_after_a_late_announcement(
    account: Account, since: datetime
) -> None:
    tend(day(200))  # nobody could tell before
    deliver(account)
    tend(day(230.9))
    account.refresh_from_db()
    assert account.state == Account.State.ACTIVE
    tend(day(231.1))
    account.refresh_from_db()
    assert account.state == Account.State.CLOSED


def test_nothing_is_closed_while_nobody_could_be_told(account: Account, since: datetime) -> None:
    tend(day(61))
    tend(day(300))
    account.refresh_from_db()
    assert account.state == Account.State.ACTIVE


@pytest.mark.parametrize("paid_on", [62, 91, 92.5])
def test_whoever_pays_is_not_closed(account: Account, since: datetime, paid_on: float) -> None:
    tend(day(61))
    deliver(account)
    Subscription.objects.filter(account=account).update(
        unpaid_since=None, deletion_announced_at=None
    )
    tend(day(paid_on))
    tend(day(400))
    account.refresh_from_db()
    assert account.state == Account.State.ACTIVE
    assert told() == ["payment-deletion-announced"]


def test_granted_days_put_the_deletion_off(account: Account, since: datetime) -> None:
    tend(day(61))
    deliver(account)
    with clock.travelled(day(80)):
        grant(account, grace_days=30, days=60, reason="in hospital", actor=SERVICE)
    tend(day(100))
    account.refresh_from_db()
    assert account.state == Account.State.ACTIVE
    tend(day(121.5))
    account.refresh_from_db()
    assert account.state == Account.State.CLOSED


@pytest.mark.parametrize("put_off_by", ["granted days that end", "paying the older one of two"])
def test_a_deletion_that_was_put_off_is_announced_anew(
    account: Account, since: datetime, put_off_by: str
) -> None:
    tend(day(61))
    deliver(account)
    with clock.travelled(day(62)):
        if put_off_by == "granted days that end":
            grant(account, grace_days=120, days=60, reason="in hospital", actor=SERVICE)
            again = day(62 + 60)
        else:
            Subscription.objects.update(unpaid_since=since + timedelta(days=50))
            again = day(50 + 61)
    for number in range(63, 130):
        tend(day(number), times=1)
        deliver(account)
    first, second = Notice.objects.filter(kind="payment-deletion-announced").order_by("pk")
    assert first.at < since + again <= second.at + timedelta(minutes=2)
    due = second.at + timedelta(days=31) - clock.now()
    for late, state in [(-1, Account.State.ACTIVE), (1, Account.State.CLOSED)]:
        tend(due + timedelta(hours=late))
        account.refresh_from_db()
        assert account.state == state


def test_over_the_cap_after_a_smaller_plan_is_told_and_nothing_is_taken(account: Account) -> None:
    Usage.objects.create(account=account, live_bytes=100 * GB)
    unpaid.tend()
    assert told() == []
    subscribe(account, plan="free", actor=SERVICE)
    for number in range(60):
        tend(day(number))
    assert told() == ["over-cap"] * 4
    account.refresh_from_db()
    assert account.state == Account.State.ACTIVE
    assert Usage.objects.get(account=account).live_bytes == 100 * GB


def test_a_grant_that_ends_is_like_a_smaller_plan(account: Account) -> None:
    Usage.objects.create(account=account, live_bytes=205 * GB)
    Subscription.objects.update(plan_since=clock.now() - timedelta(days=500))
    grant(account, quota_bytes=10 * GB, days=14, reason="moving", actor=SERVICE)
    tend(day(13))
    assert told() == []
    tend(day(14))
    assert told() == ["over-cap"]


def test_on_the_free_plan_people_are_told_of_the_end_of_a_grant_too() -> None:
    bob = open_account(User.objects.create_user("bob@example.org"))  # as the website opens it
    Account.objects.filter(pk=bob.pk).update(created_at=clock.now() - timedelta(days=500))
    bob.refresh_from_db()
    Usage.objects.create(account=bob, live_bytes=8 * GB)
    grant(bob, quota_bytes=10 * GB, days=14, reason="moving", actor=SERVICE)
    tend(day(13))
    assert told() == []
    tend(day(14))
    assert told() == ["over-cap"]


def test_what_fails_for_one_account_is_done_for_the_others(
    account: Account, since: datetime
) -> None:
    Subscription.objects.filter(account=account).update(
        unpaid_since=datetime.max.replace(tzinfo=since.tzinfo) - timedelta(days=1)
    )
    other = open_account(User.objects.create_user("bob@example.org"))
    subscribe(other, plan="personal", actor=SERVICE)
    Subscription.objects.filter(account=other).update(unpaid_since=since)
    tend(day(15))
    assert told() == ["payment-read-only"]


@pytest.mark.parametrize("kind", NoticeKind)
def test_every_notice_has_words(kind: NoticeKind) -> None:
    values = {
        "plan": "Personal",
        "read_only": "15 March 2026",
        "restore_only": "30 April 2026",
        "restores_end": "30 May 2026",
        "deletion": "31 May 2026",
        "erasure": "30 June 2026",
    }
    letter = kind_of(kind.value).write(values)
    assert letter.link is not None
    assert letter.link.url.endswith("/billing/")
    assert "Billing" in letter.text(footer="")
