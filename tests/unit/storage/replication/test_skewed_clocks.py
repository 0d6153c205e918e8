"""A region whose clock is wrong. Stores judge signed requests by it, and date their answers by it.

Ours is the one that decides of grace, leases and alarms: nothing here may look at theirs.
"""

from datetime import timedelta

import pytest

from backup_service import clock
from storage.deletion import sweep
from storage.integrity import scrub
from storage.models import Attempt, Replica
from storage.objects import placement
from storage.replication.replicator import replicate_due
from tests.support.storage.faulty_regions import (
    account,
    buckets,
    everywhere,
    fronts,
    regions,
    strays,
    ways,
)
from tests.support.storage.presigned import announce, commit, put, request_of
from tests.support.storage.replicas import states
from tests.support.stores.client import send
from tests.support.stores.proxy import FaultyProxy
from tests.unit.storage.conftest import Caller, sha, some

__all__ = ["account", "buckets", "fronts", "regions", "ways"]
pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
WRONG = [timedelta(hours=1), timedelta(hours=-1), timedelta(days=1), timedelta(days=-1)]


@pytest.mark.parametrize("ahead", [10 * MINUTE, -10 * MINUTE], ids=str)
def test_a_clock_within_what_stores_forgive_changes_nothing(
    backup: Caller, fronts: dict[str, FaultyProxy], ahead: timedelta
) -> None:
    contents = [some(20_000) for _ in range(3)]
    for way in fronts.values():
        way.ahead = ahead
    backup.put(contents[0])
    offers = announce(backup, *contents[1:])
    assert [put(*pair) for pair in zip(offers, contents[1:], strict=True)] == [200, 200]
    assert commit(backup, *[offer["attempt"] for offer in offers]) == ["stored"] * 2
    assert replicate_due() == 6
    assert scrub.scrub_all().damaged == 0
    assert everywhere(backup, contents)
    sweep.sweep()
    sweep.sweep_staging()
    assert everywhere(backup, contents)


@pytest.mark.parametrize("ahead", WRONG, ids=str)
def test_a_region_whose_clock_is_wrong_counts_as_away(
    backup: Caller, fronts: dict[str, FaultyProxy], ahead: timedelta
) -> None:
    before = [some(20_000) for _ in range(2)]
    for content in before:
        backup.put(content)
    fronts["b"].ahead = ahead
    assert replicate_due() == 2
    for content in before:
        assert states(backup.stored_object(content)) == {
            "a": "stored",
            "b": "pending",
            "c": "stored",
        }
    waiting = Replica.objects.filter(region__alias="b")
    assert set(waiting.values_list("tries", "parked_at", "verified_at")) == {(0, None, None)}

    # The same happens to the region that takes uploads, with all replicas in it.
    fronts["b"].ahead = timedelta()
    fronts["a"].ahead = ahead
    after = some(20_000)
    assert backup.put(after).status_code == 503  # its bytes are gone by then: send it again
    assert backup.put(after).status_code == 200
    assert states(backup.stored_object(after))["b"] == "stored"
    assert all(backup.fetch(f"data/{sha(content)}") == content for content in [*before, after])
    assert scrub.scrub_all().damaged == 0
    assert not Attempt.objects.filter(state="quarantined").exists()


@pytest.mark.parametrize("ahead", WRONG, ids=str)
def test_requests_signed_for_a_client_are_judged_by_that_clock(
    backup: Caller, fronts: dict[str, FaultyProxy], ahead: timedelta
) -> None:
    content = some(20_000)
    fronts["a"].ahead = ahead
    [offer] = announce(backup, content)
    # A store that is behind by an hour takes it for a request of the future, one ahead for old.
    assert send(request_of(offer), content)[0] == 403
    assert commit(backup, offer["attempt"]) == ["busy"]  # nobody can tell, so nothing is concluded
    assert not backup.names("data")
    [again] = announce(backup, content)
    assert put(again, content) == 200
    assert commit(backup, again["attempt"]) == ["stored"]
    assert states(backup.stored_object(content))["b"] == "stored"

    fronts["a"].mend()
    placement.failed.clear()
    for hours in (1, 4):
        with clock.travelled(timedelta(hours=hours)):
            replicate_due()
            scrub.scrub_due(byte_budget=1e9)
            sweep.sweep()
    assert everywhere(backup, [content])
    assert strays(backup.vault.public_id) == []
