"""Buttons pressed twice, and mail programs that post twice, at the same moment."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from accounts.audit import SERVICE
from accounts.models import Account, Delivery, Membership
from accounts.notifications import endpoints, preferences
from accounts.topics import Topic
from tests.unit.accounts.notifications.conftest import Connect

AT_ONCE = 6


def together(act: Callable[[], bool]) -> list[bool]:
    """Do the same thing in threads, at the same moment; return what each was answered."""
    if connection.vendor != "postgresql":
        pytest.skip("threads cannot write into one SQLite database in memory")
    gate = threading.Barrier(AT_ONCE)

    def one(_: int) -> bool:
        try:
            gate.wait(20)
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, range(AT_ONCE)))


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_one_test_is_sent(account: Account, connect: Connect) -> None:
    endpoint = connect()
    answers = together(lambda: endpoints.send_test(endpoint))
    assert sorted(answers) == [False] * (AT_ONCE - 1) + [True]
    assert Delivery.objects.filter(endpoint=endpoint).count() == 1


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_topic_is_turned_off(owner: Membership) -> None:
    assert all(together(lambda: preferences.turn_off(owner, Topic.BACKUPS, actor=SERVICE)))
    assert not preferences.wants(Membership.objects.get(pk=owner.pk), Topic.BACKUPS)


@pytest.mark.django_db
def test_what_was_chosen_meanwhile_stays(owner: Membership) -> None:
    preferences.turn_off(owner, Topic.REPORTS, actor=SERVICE)
    in_mail = Membership.objects.select_related("mail_preference").get(pk=owner.pk)
    preferences.choose(owner, backups=True, billing=False, reports="weekly", actor=SERVICE)
    preferences.turn_off(in_mail, Topic.BACKUPS, actor=SERVICE)
    chosen = preferences.preference_of(Membership.objects.get(pk=owner.pk))
    assert (chosen.backups, chosen.billing, chosen.reports) == (False, False, "weekly")
