"""Direct transfers: what a signed request does not do, and what a commit does not believe."""

import dataclasses
import io
import time
from datetime import timedelta

import pytest
from pytest_django import Settings

from accounts.audit import SERVICE
from backup_service import clock
from storage.deletion import sweep
from storage.models import Attempt, Region, Reservation, StoredObject
from storage.stores.base import NoSuchKeyError, PresignedRequest
from storage.stores.registry import store_of
from storage.stores.s3.store import S3Store
from storage.vaults import credentials
from storage.vaults.quota import FLOOR
from tests.support.storage.presigned import (
    announce,
    booked,
    call,
    commit,
    entry,
    key_of,
    put,
    read,
    regions,
    request_of,
)
from tests.support.stores.client import send
from tests.support.stores.proxy import FaultyProxy
from tests.unit.storage.conftest import Caller, caller, sha, some

__all__ = ["regions"]
pytestmark = pytest.mark.django_db


# --- What a request that was signed does not do


@pytest.mark.parametrize("altered", ["other", "shorter", "longer"])
def test_other_bytes_than_announced(backup: Caller, altered: str) -> None:
    content = some()
    sent = {"other": some(), "shorter": content[:-1], "longer": content + b"x"}[altered]
    offer = announce(backup, content)[0]
    length = {"Content-Length": str(len(sent))}
    assert send(request_of(offer), sent, length)[0] in (400, 403)
    assert commit(backup, offer["attempt"]) == ["missing"]
    assert not StoredObject.objects.exists()
    assert put(offer, content) == 200
    assert commit(backup, offer["attempt"]) == ["stored"]


def test_twice(backup: Caller) -> None:
    content = some()
    offer = announce(backup, content)[0]
    assert (put(offer, content), put(offer, content)) == (200, 412)


def test_late(backup: Caller, settings: Settings) -> None:
    settings.DIRECT_SECONDS = 1
    content = some()
    offer = announce(backup, content)[0]
    time.sleep(2.1)
    assert put(offer, content) == 403
    assert commit(backup, offer["attempt"]) == ["missing"]
    backup.put(some())
    fetch = read(backup, backup_content(backup))[0]
    time.sleep(2.1)
    assert send(PresignedRequest(fetch["method"], fetch["url"], fetch["headers"]))[0] == 403


def backup_content(who: Caller) -> str:
    return StoredObject.objects.get(vault=who.vault).name


def test_for_another_object(backup: Caller) -> None:
    content, other = some(), some()
    offer = announce(backup, content)[0]
    url = offer["url"].replace(sha(content), sha(other))
    assert send(dataclasses.replace(request_of(offer), url=url), other)[0] == 403


# --- What a commit does not believe


def test_never_put(backup: Caller) -> None:
    offer = announce(backup, some())[0]
    assert commit(backup, offer["attempt"]) == ["missing"]
    assert booked(backup.vault) == (0, FLOOR)


def test_put_but_altered(backup: Caller) -> None:
    """A store that took other bytes than it was asked to."""
    content = some()
    offer = announce(backup, content)[0]
    store, key = key_of(offer)
    assert isinstance(store, S3Store)
    store.general.again.put_object(Bucket=store.region.bucket, Key=str(key), Body=b"x" * 1000)
    assert commit(backup, offer["attempt"]) == ["refused"]
    assert not StoredObject.objects.exists()


def test_put_in_another_region(backup: Caller, regions: list[Region]) -> None:
    content = some()
    offer = announce(backup, content)[0]
    _, key = key_of(offer)
    store_of(regions[1]).put(key, io.BytesIO(content), len(content))
    assert commit(backup, offer["attempt"]) == ["missing"]


def test_by_another_account_or_credential(backup: Caller, bob: Caller, maintain: Caller) -> None:
    content = some()
    offer = announce(backup, content)[0]
    put(offer, content)
    assert commit(bob, offer["attempt"]) == ["unknown"]
    assert commit(maintain, offer["attempt"]) == ["unknown"]
    assert call(bob, "uploads", {"commit": [offer["attempt"]]}, backup.vault)[0] == 404
    call(bob, "uploads", {"give_up": [offer["attempt"]]})
    assert commit(backup, "nonsense", "a" * 32) == ["unknown", "unknown"]
    assert commit(backup, offer["attempt"]) == ["stored"]


def test_an_upload_through_the_gateway_cannot_be_committed(
    backup: Caller, regions: list[Region]
) -> None:
    attempt = Attempt.objects.create(
        vault=backup.vault,
        type="data",
        name=sha(b"x"),
        region=regions[0],
        credential=backup.credential,
        due_at=clock.now() + timedelta(hours=1),
    )
    assert commit(backup, attempt.pk) == ["unknown"]


def test_after_its_time(backup: Caller) -> None:
    content = some()
    offer = announce(backup, content)[0]
    put(offer, content)
    Attempt.objects.update(due_at=clock.now())
    sweep.sweep()
    assert booked(backup.vault) == (0, FLOOR)
    assert commit(backup, offer["attempt"]) == ["expired"]
    sweep.sweep(doomed_before=clock.now() + timedelta(days=1))
    assert booked(backup.vault) == (0, 0)
    store = store_of(Region.objects.get(alias="a"))
    assert list(store.list_keys(backup.vault.public_id)) == []
    assert not Attempt.objects.exists()
    assert commit(backup, offer["attempt"]) == ["unknown"]


def test_what_was_given_up_is_held_until_it_is_swept(backup: Caller) -> None:
    content = some(9000)
    offer = announce(backup, content)[0]
    put(offer, content)
    status, _ = call(backup, "uploads", {"give_up": [offer["attempt"]]})
    assert status == 200
    assert booked(backup.vault) == (0, 9000)
    assert commit(backup, offer["attempt"]) == ["expired"]
    sweep.sweep()  # something may still arrive, so the bytes stay on the list
    store, key = store_of(Region.objects.get(alias="a")), Attempt.objects.get().key
    assert store.size(key) == 9000
    assert booked(backup.vault) == (0, 9000)
    sweep.sweep(doomed_before=clock.now() + timedelta(days=1))
    assert booked(backup.vault) == (0, 0)
    with pytest.raises(NoSuchKeyError):
        store.size(key)


# --- Who


def test_who_may(backup: Caller, restore: Caller, bob: Caller) -> None:
    fields = {"objects": [entry(some())]}
    assert call(restore, "uploads", fields)[0] == 403
    assert call(bob, "uploads", fields, backup.vault)[0] == 404
    revoked = caller(backup.vault, "backup")
    credentials.revoke(revoked.credential, actor=SERVICE)
    for what in ("uploads", "downloads"):
        status, answer = call(revoked, what, fields)
        assert (status, answer["code"]) == (401, "unauthenticated")
    assert not Reservation.objects.exists()


def test_no_signature_is_logged(
    backup: Caller, caplog: pytest.LogCaptureFixture, proxy: FaultyProxy
) -> None:
    caplog.set_level(0)
    content = some()
    offer = announce(backup, content)[0]
    put(offer, content)
    commit(backup, offer["attempt"])
    read(backup, sha(content))
    signature = offer["url"].rpartition("Signature=")[2]
    assert len(signature) == 64
    ours = [one.getMessage() for one in caplog.records if one.name.split(".")[0] == "storage"]
    assert signature not in "\n".join(ours)
