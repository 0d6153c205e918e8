"""Everything that was removed comes back bit for bit, whatever happens on the way."""

import random
from collections.abc import Callable
from datetime import timedelta

import pytest

from accounts.audit import SERVICE
from accounts.models import AuditEvent
from backup_service import clock
from billing.models import Plan
from storage.deletion import purge, sweep
from storage.models import (
    JournalEntry,
    Lifetime,
    Replica,
    StoredObject,
    Undelete,
    Usage,
    Vault,
    VaultEvent,
)
from storage.replication.replicator import replicate_due
from storage.rewind import requests, worker
from storage.rewind.requests import UndeleteError, Wanted
from storage.vaults import quota
from tests.unit.storage.conftest import damage, sealed, sha, some
from tests.unit.storage.rewind.conftest import Story, back_up

pytestmark = pytest.mark.django_db


def bring_back(story: Story, **wanted: object) -> Undelete:
    if not wanted:
        wanted = {"moment": story.moment}
    row = requests.request(story.vault, Wanted(**wanted), actor=SERVICE)  # type: ignore[arg-type]
    worker.undelete_due()
    row.refresh_from_db()
    assert row.is_over
    return row


def books_agree(story: Story) -> None:
    assert quota.recount(story.vault.account, mend=False).agrees


def test_a_whole_vault(story: Story) -> None:
    before = story.names()
    story.empty()
    assert story.names() == {"snapshots": [], "index": [], "data": []}
    row = bring_back(story)
    assert story.names() == before
    story.require_whole()
    assert (row.expected, row.revived, row.revived_snapshots) == (8, 8, 2)
    assert row.revived_bytes == 8 * 5000
    books_agree(story)
    assert story.removed() == 0


def test_what_is_on_record(story: Story) -> None:
    story.empty()
    epoch = Vault.objects.get(pk=story.vault.pk).epoch
    row = bring_back(story)
    vault = Vault.objects.get(pk=story.vault.pk)
    assert vault.epoch > epoch
    assert vault.wiped_at is None
    entries = JournalEntry.objects.filter(kind="undelete")
    assert entries.count() == 8
    assert entries.values("sequence").distinct().count() == 8
    open_ones = Lifetime.objects.filter(object__vault=vault, to_at=None)
    assert open_ones.count() == 10
    event = VaultEvent.objects.get(kind="undelete")
    assert (event.count, event.snapshots, event.bytes) == (8, 2, 40_000)
    asked, done = AuditEvent.objects.filter(verb__startswith="vault.undelete").order_by("pk")
    assert (asked.detail["objects"], done.detail["objects"]) == (8, 8)
    assert worker.sentence(row).startswith("8 objects are back, 2 snapshots among them")


def test_what_came_later_stays(story: Story) -> None:
    story.empty()
    story.keeper.put(sealed(b"the lock of a run that has read the index since"), "locks")
    back_up(story.keeper, story.contents)
    bring_back(story)
    story.require_whole()
    assert len(story.keeper.names("locks")) == 1  # left alone
    assert len(story.names()["snapshots"]) == 3


def test_what_was_not_there_at_the_moment_stays_removed(story: Story) -> None:
    later = some()
    story.keeper.put(later)
    story.thief.delete(f"data/{sha(later)}")
    story.empty()
    assert bring_back(story).revived == 8
    assert sha(later) not in story.names()["data"]


def test_what_had_been_removed_before_the_moment_stays_removed(story: Story) -> None:
    early = story.names()["snapshots"][0]
    story.thief.delete(f"snapshots/{early}")
    story.moment = clock.database_now() + timedelta(microseconds=1)
    story.empty()
    bring_back(story)
    assert early not in story.names()["snapshots"]


def test_the_last_moment_before_a_removal(story: Story) -> None:
    story.empty()
    event = VaultEvent.objects.get(kind="wipe")
    story.moment = event.first_at - timedelta(microseconds=1)
    bring_back(story)
    story.require_whole()


def test_chosen_snapshots_come_with_all_data_of_their_time(story: Story) -> None:
    chosen = story.names()["snapshots"][0]
    story.empty()
    row = bring_back(story, snapshots=[chosen[:8]])
    assert row.revived_snapshots == 1
    assert story.names()["snapshots"] == [chosen]
    assert (len(story.names()["data"]), len(story.names()["index"])) == (4, 2)


def test_chosen_snapshots_of_which_the_data_were_removed_first(story: Story) -> None:
    chosen = story.names()["snapshots"][0]
    for kind in ("data", "index", "snapshots"):
        for name in story.names()[kind]:
            story.thief.delete(f"{kind}/{name}")
    bring_back(story, snapshots=[chosen])
    assert (len(story.names()["data"]), len(story.names()["index"])) == (4, 2)


def test_what_one_credential_did(story: Story) -> None:
    first, second = story.names()["snapshots"]
    story.keeper.credential.scope = "maintain"
    story.keeper.credential.save()
    story.keeper.delete(f"snapshots/{first}")
    story.thief.delete(f"snapshots/{second}")
    row = bring_back(story, moment=story.moment, credential=story.thief.credential.prefix)
    assert row.revived == 1
    assert story.names()["snapshots"] == [second]


def test_keys_that_were_replaced_stay_removed(story: Story) -> None:
    credential = story.thief.credential
    credential.keys_until = clock.now() + timedelta(hours=1)
    credential.save()
    new = some(100)
    story.thief.put(new, "keys")
    story.moment = clock.database_now() + timedelta(microseconds=1)
    (old,) = [name for name in story.thief.names("keys") if name != sha(new)]
    story.thief.delete(f"keys/{old}")
    story.empty()
    assert requests.plan(story.vault, Wanted(moment=story.moment)).keys_left_out == 1
    bring_back(story)
    assert story.keeper.names("keys") == [sha(new)]
    story.thief.delete(f"keys/{sha(new)}")
    bring_back(story)
    assert sorted(story.keeper.names("keys")) == sorted([old, sha(new)])


@pytest.mark.parametrize("batch", [1, 3, 200])
def test_killed_after_every_batch(
    story: Story, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(worker, "BATCH", batch)
    story.empty()
    row = requests.request(story.vault, Wanted(moment=story.moment), actor=SERVICE)
    later = timedelta(0)
    for _ in range(100):
        with clock.travelled(later):
            token = f"killed {later}"
            Undelete.objects.filter(pk=row.pk).update(lease_token=token)
            worker.step(row.pk, token)  # and no more of this worker
            assert worker.step(row.pk, "another's") is None
        later += timedelta(minutes=3)
        row.refresh_from_db()
        if row.is_over:
            break
        books_agree(story)
    assert row.revived == 8
    story.require_whole()
    books_agree(story)


def test_a_leased_one_is_left_alone_until_the_lease_ends(story: Story) -> None:
    story.empty()
    row = requests.request(story.vault, Wanted(moment=story.moment), actor=SERVICE)
    Undelete.objects.update(lease_token="another", lease_until=clock.now() + timedelta(minutes=1))
    assert worker.undelete_due() == 0
    assert worker.run(row.pk) == 0
    with clock.travelled(timedelta(minutes=2)):
        assert worker.undelete_due() == 8


def test_snapshots_come_last(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks meanwhile never sees a snapshot without its data."""
    monkeypatch.setattr(worker, "BATCH", 1)
    story.empty()
    row = requests.request(story.vault, Wanted(moment=story.moment), actor=SERVICE)
    Undelete.objects.update(lease_token="me", lease_until=clock.now() + timedelta(minutes=1))
    while worker.step(row.pk, "me") is not None:
        names = story.names()
        if names["snapshots"]:
            assert (len(names["data"]), len(names["index"])) == (4, 2)


def test_against_a_purge_in_every_order(story: Story, chance: random.Random) -> None:
    """What the purge took is counted and said; all else is whole, and the books agree."""
    story.empty()
    row = requests.request(story.vault, Wanted(moment=story.moment), actor=SERVICE)
    pks = list(StoredObject.objects.removed().values_list("pk", flat=True))
    taken = chance.sample(pks, 3)
    steps: list[Callable[[], object]] = [
        step
        for pk in taken
        for step in (lambda pk=pk: purge.begin(pk, clock.now()), lambda pk=pk: purge.finish(pk))
    ]
    Undelete.objects.update(lease_token="me", lease_until=clock.now() + timedelta(minutes=1))
    while steps:
        if chance.random() < 0.5:
            worker.step(row.pk, "me")
        else:
            steps.pop(0)()
        sweep.sweep(doomed_before=clock.now() + timedelta(days=1))
    while worker.step(row.pk, "me") is not None:
        pass
    row.refresh_from_db()
    assert row.is_over
    assert row.revived + row.purged == 8
    assert not StoredObject.objects.filter(state="purging").exists()
    for obj in StoredObject.objects.live():
        path = obj.type if obj.type == "config" else str(obj.object_name)
        if path in story.contents:
            assert story.keeper.fetch(path) == story.contents[path]
    books_agree(story)
    if row.purged:
        assert "gone for good" in worker.sentence(row)


def test_purged_rows_are_said_before(story: Story) -> None:
    story.empty()
    purge.purge(grace_ended_before=clock.now())
    planned = requests.plan(story.vault, Wanted(moment=story.moment))
    assert (planned.objects, planned.purged) == (0, 8)
    assert len(planned.purged_names) == 8
    with pytest.raises(UndeleteError, match="8 objects of that moment are gone for good"):
        requests.request(story.vault, Wanted(moment=story.moment), actor=SERVICE)


def test_over_the_quota_it_comes_back_and_new_uploads_are_refused(story: Story) -> None:
    story.empty()
    Plan.objects.update(quota_bytes=20_000)
    planned = requests.plan(story.vault, Wanted(moment=story.moment))
    assert planned.over > 0
    bring_back(story)
    story.require_whole()
    response = story.keeper.put(some())
    assert response.status_code == 507
    assert "Over quota" in response.reason_phrase
    assert story.keeper.fetch("config") == story.contents["config"]


def test_copies_that_are_lacking_are_made_again(story: Story) -> None:
    story.empty()
    dropped = Replica.objects.filter(object__type="data", region__alias="b")
    dropped.delete()
    bring_back(story)
    assert Replica.objects.filter(state="pending").count() == 4
    replicate_due()
    assert Replica.objects.stored().count() == 20


def test_copies_not_read_for_long_are_read_again(story: Story) -> None:
    story.empty()
    objects = StoredObject.objects.filter(type="data")
    old = Replica.objects.filter(object__in=objects, region__alias="a")
    old.update(verified_at=clock.now() - timedelta(days=8))
    bring_back(story)
    assert Replica.objects.filter(object__type="data", verified_at=None).count() == 4


def test_what_has_no_good_copy_left_is_asked_back(story: Story) -> None:
    story.empty()
    obj = StoredObject.objects.filter(type="data")[0]
    for replica in obj.replicas.select_related("region", "attempt__vault"):
        damage(replica)
    Replica.objects.filter(object=obj).update(state="corrupt")
    row = bring_back(story)
    assert row.lost == 1
    obj.refresh_from_db()
    assert obj.state == "lost"
    assert "no good copy" in worker.sentence(row)
    books_agree(story)


def test_an_upload_between_two_batches(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "BATCH", 1)
    story.empty()
    row = requests.request(story.vault, Wanted(moment=story.moment), actor=SERVICE)
    Undelete.objects.update(lease_token="me", lease_until=clock.now() + timedelta(minutes=1))
    packs = [content for path, content in story.contents.items() if path.startswith("data")]
    while worker.step(row.pk, "me") is not None:
        if packs:
            story.keeper.put(packs.pop())
    row.refresh_from_db()
    assert row.revived <= 8
    story.require_whole()
    books_agree(story)


def test_the_usage_of_an_account(story: Story) -> None:
    usage = Usage.objects.get(account=story.vault.account)
    story.empty()
    bring_back(story)
    after = Usage.objects.get(account=story.vault.account)
    assert (after.live_bytes, after.tombstoned_bytes) == (usage.live_bytes, 0)
