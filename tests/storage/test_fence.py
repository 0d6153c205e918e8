"""The fence: who read the index before somebody else's prune may not save a snapshot."""

import pytest

from tests.storage.conftest import sha, some

pytestmark = pytest.mark.django_db


@pytest.fixture
def pack(backup) -> bytes:
    content = some()
    backup.put(content)
    return content


def test_a_stale_snapshot_is_refused(backup, maintain, pack):
    backup.names("index")
    maintain.delete(f"data/{sha(pack)}")
    response = backup.put(b"snapshot", "snapshots")
    assert response.status_code == 409
    assert b"run the backup again" in response.content
    assert backup.names("snapshots") == []


def test_reading_the_index_again_is_enough(backup, maintain, pack):
    backup.names("index")
    maintain.delete(f"data/{sha(pack)}")
    backup.put(b"snapshot", "snapshots")
    backup.names("index")
    assert backup.put(b"snapshot", "snapshots").status_code == 200


def test_index_files_count_too(backup, maintain):
    backup.put(b"index file", "index")
    maintain.delete(f"index/{sha(b'index file')}")
    assert backup.put(b"snapshot", "snapshots").status_code == 409


def test_ones_own_prune_does_not_fence(maintain, pack):
    maintain.names("index")
    maintain.delete(f"data/{sha(pack)}")
    assert maintain.put(b"snapshot", "snapshots").status_code == 200


def test_forgetting_a_snapshot_does_not_fence(backup, maintain):
    backup.names("index")
    backup.put(b"old snapshot", "snapshots")
    maintain.delete(f"snapshots/{sha(b'old snapshot')}")
    assert backup.put(b"snapshot", "snapshots").status_code == 200


def test_a_prune_before_the_index_was_read_does_not_fence(backup, maintain, pack):
    maintain.delete(f"data/{sha(pack)}")
    backup.names("index")
    assert backup.put(b"snapshot", "snapshots").status_code == 200


def test_other_vaults_do_not_fence(backup, bob, pack):
    backup.names("index")
    bob.put(pack)
    bob.delete(f"data/{sha(pack)}")
    assert backup.put(b"snapshot", "snapshots").status_code == 200
