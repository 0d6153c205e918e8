"""Signed addresses that are still good when their upload is given up, or its object purged."""

from datetime import timedelta

import pytest

from backup_service import clock
from storage.deletion import purge, sweep
from storage.integrity import orphans
from storage.models import Attempt, Region, StoredObject, Vault
from storage.stores.registry import store_of
from storage.stores.s3.store import S3Store
from storage.uploads import presigned
from tests.support.storage.presigned import announce, commit, put, regions
from tests.unit.storage.conftest import Caller, access_of, sha, some

__all__ = ["regions"]
pytestmark = pytest.mark.django_db
LATER = timedelta(days=400)


def lying(vault: str) -> list[str]:
    return [
        str(key) for region in Region.objects.all() for key, _ in store_of(region).list_keys(vault)
    ]


def sweep_all() -> None:
    for _ in range(2):
        sweep.sweep(doomed_before=clock.now() + LATER)


def test_a_put_after_its_upload_was_given_up_and_swept(backup: Caller, vault: Vault) -> None:
    content = some()
    [offer] = announce(backup, content)
    presigned.give_up(access_of(backup), [offer["attempt"]])
    sweep_all()
    assert not Attempt.objects.exists()
    assert put(offer, content) == 200
    assert orphans.survey() == 1
    assert lying(vault.public_id) == []


def test_a_put_after_its_object_was_purged_and_swept(
    backup: Caller, maintain: Caller, vault: Vault
) -> None:
    content = some()
    [offer] = announce(backup, content)
    assert put(offer, content) == 200
    assert commit(backup, offer["attempt"]) == ["stored"]
    maintain.delete(f"data/{sha(content)}")
    purge.purge(grace_ended_before=clock.now())
    sweep_all()
    assert not StoredObject.objects.exists()
    assert lying(vault.public_id) == []
    assert put(offer, content) == 200
    assert orphans.survey() == 1
    assert lying(vault.public_id) == []


def test_uploads_in_parts_that_nobody_ends(regions: list[Region]) -> None:
    store = store_of(regions[0])
    assert isinstance(store, S3Store)
    place = {"Bucket": store.region.bucket, "Key": "abcdefghij234567abcd/data/x"}
    client = store.general.once
    begun = client.create_multipart_upload(**place)
    client.upload_part(**place, UploadId=begun["UploadId"], PartNumber=1, Body=b"x" * 1000)
    assert store.sweep_staging(3600) == 0
    assert store.sweep_staging(0) == 1
    assert store.sweep_staging(0) == 0
