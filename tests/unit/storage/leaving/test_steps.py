"""A closed account is erased step by step, wherever a worker is killed, and no other one is."""

from datetime import timedelta

import pytest
from django.core import mail

from accounts.audit import SERVICE
from accounts.audit.verification import verify
from accounts.closing import actions, erasure, work
from accounts.models import Account, AuditEvent, Closing, Membership, User
from backup_service import clock
from billing import closing
from billing.actions import subscribe
from billing.models import Subscription
from storage.database import elapsed_time
from storage.deletion import guard, purge, purge_limits, tombstones
from storage.leaving import keys, persons, steps
from storage.models import Attempt, Catalogue, JournalEntry, Region, StoredObject
from storage.objects import replicas
from storage.stores.registry import store_of
from tests.support.storage.leaving import MONTH, Step, erase, tables_with, turn
from tests.support.storage.older import passed
from tests.unit.storage.conftest import Caller
from tests.unit.storage.leaving.conftest import WORDS, back_up, vault_of

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def keys_in_stores(vault: str) -> list[str]:
    stores = [store_of(region) for region in Region.objects.all()]
    return [key for store in stores for key in map(str, store.list_keys(vault))]


def test_nothing_is_left_of_anybody(account: Account, over: Closing, full: Caller) -> None:
    there = {word for some in tables_with(WORDS).values() for word in some}
    assert there == {word.lower() for word in WORDS}, "the search finds what is there"
    assert keys_in_stores(full.vault.public_id)
    ended = erase(account)
    assert ended.step == Step.ENDED
    assert tables_with(WORDS) == {}
    assert keys_in_stores(full.vault.public_id) == []
    assert not StoredObject.objects.filter(vault=full.vault).exists()
    assert not Attempt.objects.filter(vault=full.vault).exists()
    assert not User.objects.filter(email__contains="a@example").exists()
    found = verify(account.pk)
    assert found.reason == verify(None).reason == ""
    assert found.links == found.erased == AuditEvent.objects.filter(account=account).count()
    assert Account.objects.get(pk=account.pk).state == Account.State.ERASED


def test_the_keys_go_first_and_the_journal_says_so(account: Account, over: Closing) -> None:
    erase(account)
    entries = JournalEntry.objects.filter(vault=vault_of(account)).order_by("pk")
    story = [(one.kind, one.type) for one in entries]
    for kind in ("keys", "config"):
        at = [story.index((act, kind)) for act in ("tombstone", "keys-destroyed", "purge")]
        assert at == sorted(at)
        assert max(at) < story.index(("tombstone", "data"))


def test_the_last_mail_is_the_last(account: Account, over: Closing) -> None:
    erase(account)
    assert "is erased" in mail.outbox[-1].subject
    assert mail.outbox[-1].to == ["alice@example.org"]


def test_in_the_cooling_off_files_are_restored_and_nothing_is_stored(
    account: Account, closed: Closing, full: Caller
) -> None:
    turn()
    closed.refresh_from_db()
    assert closed.step == Step.COOLING
    (name,) = full.get("data/").json()
    assert full.get(f"data/{name}").status_code == 200
    assert full.put(b"new" * 100).status_code == 403
    with passed(29 * DAY):
        turn()
        closed.refresh_from_db()
        assert closed.step == Step.COOLING


def test_time_that_nobody_saw_pass_does_not_count(account: Account, closed: Closing) -> None:
    turn()
    with clock.travelled(40 * DAY):
        guard.check_clock()
        turn_quietly()
        closed.refresh_from_db()
        assert closed.step == Step.COOLING


def turn_quietly() -> None:
    Closing.objects.update(next_attempt_at=clock.now())
    work.work_off(steps.STEPS, seconds=20)


def test_whoever_has_paid_at_the_last_moment_is_not_erased(account: Account, full: Caller) -> None:
    row = subscribe(account, plan="personal", actor=SERVICE)
    owing = Subscription.objects.filter(pk=row.pk)
    owing.update(unpaid_since=clock.now() - 95 * DAY)
    elapsed_time.observe()
    actions.close(account, reason=Closing.Reason.UNPAID, actor=SERVICE)
    with passed(MONTH):
        owing.update(unpaid_since=None)  # and nobody has looked for settled debts since
        turn()
        account.refresh_from_db()
        assert account.state == Account.State.ACTIVE
        assert full.get("keys/").json()


@pytest.mark.usefixtures("over")
def test_nobody_gets_in_once_it_has_begun(account: Account, full: Caller) -> None:
    turn()
    assert full.get("config").status_code == 401
    with pytest.raises(actions.TooLateError):
        actions.reopen(account, actor=SERVICE)


def test_nothing_of_another_account_is_touched(
    account: Account, over: Closing, bob: Caller
) -> None:
    bob.vault.credentials.update(setup_until=clock.now() + DAY)
    back_up(bob)
    before = everything_of(bob)
    erase(account)
    assert everything_of(bob) == before
    assert bob.get("config").status_code == 200


def everything_of(caller: Caller) -> object:
    account, vault = caller.vault.account, caller.vault
    return (
        list(Account.objects.filter(pk=account.pk).values()),
        list(account.memberships.values()),
        list(User.objects.filter(memberships__account=account).values()),
        list(account.audit_events.order_by("pk").values("verb", "actor", "subject", "detail")),
        list(vault.stored_objects.order_by("pk").values()),
        list(vault.attempts.order_by("pk").values()),
        list(vault.journal.order_by("pk").values()),
        list(account.devices.values()),
        keys_in_stores(vault.public_id),
    )


def test_who_is_in_another_account_stays_there(account: Account, over: Closing) -> None:
    other = Account.objects.create(name="Other")
    anna = User.objects.get(email="anna@example.org")
    Membership.objects.create(account=other, user=anna, role="owner")
    erase(account)
    assert User.objects.filter(pk=anna.pk).exists()
    assert not User.objects.filter(email="alice@example.org").exists()
    assert list(anna.memberships.values_list("account", flat=True)) == [other.pk]


class KilledError(BaseException):
    """A worker that ends in the middle of something."""


KILLS = [
    (keys, "lock_up"),
    (keys, "_remove"),
    (purge, "begin"),
    (purge, "finish"),
    (tombstones, "clear_some"),
    (purge, "purge_account"),
    (replicas, "doom"),
    (steps, "notify"),
    (closing, "erase_rows"),
    (persons, "_erase"),
    (erasure, "erase_person"),
    (erasure, "erase_log"),
    (work, "_settle"),
]


def test_killed_at_every_step_it_goes_on(
    account: Account, over: Closing, full: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after the other, each just before and just after it has done its work."""
    for owner, name in KILLS:
        for after in (False, True):
            _kill_once(monkeypatch, owner, name, after=after)
    for _ in range(60):
        try:
            turn()
        except KilledError:
            continue
        if Closing.objects.get(account=account).ended_at is not None:
            break
    assert Closing.objects.get(account=account).step == Step.ENDED
    assert not KILLERS, "some step was never reached"
    assert tables_with(WORDS) == {}
    assert keys_in_stores(full.vault.public_id) == []
    assert verify(account.pk).reason == ""


KILLERS: set[tuple[str, bool]] = set()


def _kill_once(monkeypatch: pytest.MonkeyPatch, owner: object, name: str, *, after: bool) -> None:
    real = getattr(owner, name)
    this = (f"{owner}.{name}", after)
    KILLERS.add(this)

    def killed(*args: object, **kwargs: object) -> object:
        first = this in KILLERS
        KILLERS.discard(this)
        if first and not after:
            raise KilledError
        done = real(*args, **kwargs)
        if first:
            raise KilledError
        return done

    monkeypatch.setattr(owner, name, killed)


def test_a_day_s_share_bounds_it(
    account: Account, over: Closing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purge_limits, "LEAST_OF_ACCOUNT", 3)
    for _ in range(5):
        turn()
    over.refresh_from_db()
    assert over.step == Step.OBJECTS
    assert StoredObject.objects.filter(vault__account=account).count() == 2


@pytest.mark.usefixtures("over")
def test_while_the_catalogue_is_in_doubt_nothing_is_destroyed(account: Account) -> None:
    Catalogue.objects.update(doubt="restored", doubt_text="older")
    turn_quietly()
    assert StoredObject.objects.filter(vault__account=account).live().count() == 5
    assert Account.objects.get(pk=account.pk).state == Account.State.CLOSED


def test_what_fails_is_tried_again_and_then_waits_for_staff(
    account: Account, over: Closing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*args: object) -> None:
        raise OSError("away")

    turn()
    monkeypatch.setitem(steps.STEPS, Step.OBJECTS, fails)
    Closing.objects.update(step=Step.OBJECTS)
    for _ in range(work.MOST_ATTEMPTS):
        turn_quietly()
    over.refresh_from_db()
    assert (over.error, over.attempts) == ("OSError", work.MOST_ATTEMPTS)
    assert over.parked_at is not None
    monkeypatch.undo()
    work.unpark(over)
    erase(account)
