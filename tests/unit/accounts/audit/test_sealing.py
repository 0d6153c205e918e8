"""Rows join their account's chain after the commit, whoever is in the middle of something."""

import hashlib
import json
import threading
from datetime import UTC, timedelta
from typing import Any

import pytest
from django.db import connection, connections, transaction

from accounts import audit
from accounts.actions import open_account
from accounts.audit import OPERATOR, SERVICE, Actor
from accounts.audit.sealing import seal, seal_left_over
from accounts.audit.verification import verify
from accounts.models import Account, AuditChain, AuditEvent, User
from backup_service import clock


def salted(salt: str, fields: dict[str, Any]) -> str:
    assert len(salt) == 32
    text = salt + "\n" + json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


@pytest.fixture
def account(transactional_db: None) -> Account:
    return open_account(User.objects.create_user("alice@example.org"))


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_row_is_sealed_when_it_is_committed(account: Account) -> None:
    with transaction.atomic():
        event = audit.record(SERVICE, "test.act", "thing", account=account)
        assert event.number is None
    event.refresh_from_db()
    assert event.number == 2  # after the opening of the account
    head = AuditChain.objects.get(name=account.public_id)
    assert (head.number, head.digest) == (2, event.digest)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_what_is_rolled_back_leaves_no_gap(account: Account) -> None:
    with transaction.atomic():
        audit.record(SERVICE, "test.act", "never", account=account)
        transaction.set_rollback(True)
    audit.record(SERVICE, "test.act", "thing", account=account)
    assert verify(account.pk).links == 2


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_the_digest_is_what_the_document_says(account: Account) -> None:
    actor = Actor.device_credential("abc123", label="laptop", address="2001:db8::7")
    audit.record(actor, "snapshots.remove", "v", account=account, count=17, name="Grüße 📦")
    first, second = AuditEvent.objects.order_by("number")
    who = {
        "actor": None,
        "actor_label": "laptop",
        "address": "2001:db8::7",
        "credential": "abc123",
    }
    what = {"detail": {"count": 17, "name": "Grüße 📦"}, "subject": "v"}
    row = {
        "actor_kind": "credential",
        "at": second.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "chain": account.public_id,
        "number": 2,
        "verb": "snapshots.remove",
        "what": salted(second.what_salt, what),
        "who": salted(second.who_salt, who),
    }
    text = first.digest + "\n" + json.dumps(row, sort_keys=True, separators=(",", ":"))
    assert second.digest == hashlib.sha256(text.encode("ascii")).hexdigest()


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_accounts_and_the_service_have_chains_of_their_own(account: Account) -> None:
    audit.record(OPERATOR, "region.add", "c")
    audit.record(OPERATOR, "region.add", "d")
    assert AuditChain.objects.get(name="service").number == 2
    assert AuditChain.objects.get(name=account.public_id).number == 1


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_the_sweep_seals_what_was_left(account: Account) -> None:
    """As when a process ends between its commit and the sealing."""
    old = clock.now() - timedelta(minutes=5)
    rows = [
        AuditEvent(account=account, at=old, actor_label="x", verb="test.act", subject=str(number))
        for number in range(1200)
    ]
    AuditEvent.objects.bulk_create(rows)
    AuditEvent.objects.create(actor_label="x", verb="test.act", subject="no account", at=old)
    assert seal_left_over() >= 1201
    assert AuditEvent.objects.filter(number=None).count() == 0
    assert verify(account.pk).reason == ""
    assert seal_left_over() == 0


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_many_at_once_make_one_chain(account: Account) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("wants PostgreSQL: the tests' SQLite lies in memory, for one writer")
    failures: list[BaseException] = []

    def act(who: int) -> None:
        try:
            for number in range(8):
                audit.record(SERVICE, "test.act", f"{who}-{number}", account=account)
        except BaseException as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=act, args=(who,)) for who in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    seal(account.pk)
    found = verify(account.pk)
    assert (found.links, found.unsealed, found.reason) == (49, 0, "")


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_nobody_waits_for_a_row_that_is_not_committed(account: Account) -> None:
    """Two people act in one account at once; SQLite lets one writer in at a time anyway."""
    if connection.vendor != "postgresql":
        pytest.skip("wants PostgreSQL")
    done = threading.Event()

    def act() -> None:
        audit.record(SERVICE, "test.act", "quick", account=account)
        connections.close_all()
        done.set()

    with transaction.atomic():
        Account.objects.select_for_update(no_key=True).get(pk=account.pk)
        audit.record(SERVICE, "test.act", "slow", account=account)
        other = threading.Thread(target=act)
        other.start()
        assert done.wait(60)
        assert list(AuditEvent.objects.exclude(number=None).values_list("subject", flat=True))[
            -1:
        ] == ["quick"]
    other.join()
    assert verify(account.pk).links == 3
