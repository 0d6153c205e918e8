"""Owners and admins are told at once, 7 days and 1 day before the end, each once."""

from datetime import timedelta

import pytest

from accounts.actions import open_account
from accounts.audit import SERVICE
from accounts.closing import actions
from accounts.closing.reminders import remind_due
from accounts.models import Account, Closing, Delivery, Membership, Notice, User
from accounts.notifications.registry import kind_of
from backup_service import clock

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def account() -> Account:
    account = open_account(User.objects.create_user("alice@example.org"))
    for role in ("admin", "member", "auditor"):
        user = User.objects.create_user(f"{role}@example.org")
        Membership.objects.create(account=account, user=user, role=role)
    return account


def told(day: float) -> int:
    with clock.travelled(day * DAY + timedelta(minutes=1)):
        return remind_due() + remind_due()


def test_each_is_told_once(account: Account) -> None:
    actions.close(account, reason=Closing.Reason.OWNER, actor=SERVICE)
    assert [told(day) for day in (0, 22.9, 23, 25, 28.9, 29, 29.5, 30, 40)] == [
        *(0, 0, 1, 0, 0, 1, 0, 0, 0)
    ]
    kinds = list(Notice.objects.order_by("pk").values_list("kind", "values__days"))
    assert kinds == [("account-closed", None), ("account-closing", 7), ("account-closing", 1)]
    for notice in Notice.objects.all():
        mails = Delivery.objects.filter(notice=notice).values_list("address", flat=True)
        assert set(mails) == {"alice@example.org", "admin@example.org"}


def test_who_opens_it_again_is_not_reminded(account: Account) -> None:
    actions.close(account, reason=Closing.Reason.OWNER, actor=SERVICE)
    actions.reopen(account, actor=SERVICE)
    assert told(29) == 0


@pytest.mark.parametrize("reason", Closing.Reason)
def test_letters_say_what_holds_for_their_reason(account: Account, reason: str) -> None:
    actions.close(account, reason=reason, actor=SERVICE)
    notice = Notice.objects.get()
    letter = kind_of(notice.kind).write(notice.values)
    words = letter.text(footer="")
    is_unpaid = reason == Closing.Reason.UNPAID
    assert ("an owner can open it again" in " ".join(words.split()).lower()) is not is_unpaid
    assert ("no further charge" in " ".join(words.split())) is not is_unpaid
    assert letter.is_urgent


def test_closing_twice(account: Account) -> None:
    actions.close(account, reason=Closing.Reason.OWNER, actor=SERVICE)
    with pytest.raises(actions.AlreadyClosedError):
        actions.close(account, reason=Closing.Reason.OPERATOR, actor=SERVICE)
