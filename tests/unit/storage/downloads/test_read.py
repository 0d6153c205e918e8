"""Damaged replicas: passed over when objects are read, marked, and made anew."""

from pathlib import Path

import pytest

from accounts.models import AuditEvent
from storage.downloads.read import CutShortError
from storage.integrity import scrub
from storage.models import StoredObject, Vault
from storage.replication.replicator import replicate_due
from tests.support.storage.replicas import address, obj, replica_in, states
from tests.unit.storage.conftest import Caller, damage, path_of, sha, some

__all__ = ["address", "obj"]
pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("harm", ["flip", "shorten", "remove", "lengthen"])
def test_a_damaged_first_replica_is_passed_over_and_repaired(
    backup: Caller, obj: StoredObject, address: str, harm: str
) -> None:
    path = path_of(replica_in(obj, "a"))
    good = path.read_bytes()
    if harm == "remove":
        path.unlink()
    else:
        bad = {"flip": b"!" + good[1:], "shorten": good[:-1], "lengthen": good + b"x"}[harm]
        path.write_bytes(bad)
    if harm == "lengthen":
        assert backup.fetch(address) == good
        scrub.scrub_all()
    else:
        assert backup.fetch(address) == good
    assert states(obj)["a"] in {"corrupt", "missing"}
    assert replicate_due() == 1
    assert states(obj) == {"a": "stored", "b": "stored"}
    assert path_of(replica_in(obj, "a")).read_bytes() == good


def test_a_large_damaged_replica_breaks_off_before_its_end(backup: Caller) -> None:
    """Its start was sent already: the client sees a short body, and gets the rest next time."""
    content = some(1_000_000)
    backup.put(content)
    replicate_due()
    path = path_of(replica_in(backup.stored_object(content), "a"))
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    response = backup.get(f"data/{sha(content)}")
    received = bytearray()
    with pytest.raises(CutShortError):
        received.extend(piece for whole in response for piece in whole)
    assert len(received) < len(content)
    assert backup.fetch(f"data/{sha(content)}") == content


def test_a_range_asked_for_again_comes_from_a_replica_hashed_first(
    backup: Caller, obj: StoredObject, address: str
) -> None:
    good = path_of(replica_in(obj, "b")).read_bytes()
    damage(replica_in(obj, "a"), bytes(len(good)))
    span = {"range": "bytes=10-19"}
    assert backup.fetch(address, headers=span) == bytes(10)
    assert backup.fetch(address, headers=span) == good[10:20]
    assert states(obj)["a"] == "corrupt"


def test_without_a_good_replica_the_object_is_lost_and_said_to_be(
    backup: Caller, obj: StoredObject, address: str
) -> None:
    for alias in "ab":
        damage(replica_in(obj, alias))
    epoch = Vault.objects.get(pk=obj.vault_id).epoch
    response = backup.get(address)
    assert response.status_code == 503
    assert b"Nothing was deleted" in response.content
    assert backup.state_of(obj) == "lost"
    assert AuditEvent.objects.filter(verb="object.lost").count() == 1
    assert Vault.objects.get(pk=obj.vault_id).epoch == epoch + 1
    assert backup.get(address).status_code == 404


def test_an_unreachable_region_is_not_a_lost_replica(
    backup: Caller, obj: StoredObject, address: str, tmp_path: Path
) -> None:
    for name in "ab":
        (tmp_path / f"region-{name}").rename(tmp_path / f"unmounted-{name}")
    assert backup.get(address).status_code == 503
    assert states(obj) == {"a": "stored", "b": "stored"}
    assert backup.state_of(obj) == "live"
