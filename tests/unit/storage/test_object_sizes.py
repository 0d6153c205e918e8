"""What no sealed object can be for its length is refused at every door."""

import pytest

from storage import object_names, object_sizes
from storage.errors import TooLargeError, TooShortError
from storage.models import Attempt, Lock, Region, StoredObject
from storage.object_names import CONFIG, SIZE_LIMITS, ObjectName, ObjectType
from tests.support.storage import presigned
from tests.support.storage.presigned import regions as open_regions
from tests.unit.storage.api.test_session import call, named
from tests.unit.storage.conftest import Caller, sha, some

SEALED = [kind for kind in ObjectType if kind is not ObjectType.DATA]
__all__ = ["open_regions"]


def name_of(kind: ObjectType, content: bytes = b"") -> ObjectName:
    return CONFIG if kind is ObjectType.CONFIG else ObjectName(kind, sha(content))


@pytest.mark.parametrize("kind", SEALED)
def test_bounds(kind: ObjectType) -> None:
    """A seal takes 32 bytes, and something is sealed in it."""
    name = name_of(kind)
    for size in (33, SIZE_LIMITS[kind]):
        object_sizes.require_sound(name, size)
    for size in (0, 10, 32):
        with pytest.raises(TooShortError):
            object_sizes.require_sound(name, size)
    with pytest.raises(TooLargeError):
        object_sizes.require_sound(name, SIZE_LIMITS[kind] + 1)


@pytest.mark.django_db
@pytest.mark.parametrize("kind", SEALED)
def test_through_the_gateway(setup: Caller, kind: ObjectType) -> None:
    content = some(10)
    response = setup.post(str(name_of(kind, content)), content)
    assert (response.status_code, response["Nightsafe-Refusal"]) == (403, "too-short")
    assert "at least 33 bytes" in response.reason_phrase
    assert not StoredObject.objects.exists()
    assert not Lock.objects.exists()
    assert not Attempt.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(("what", "field"), [("begin", "lock"), ("finish", "snapshot")])
def test_inside_a_call(backup: Caller, what: str, field: str) -> None:
    status, answer = call(backup, what, {field: named(some(10))})
    assert (status, answer["code"]) == (400, "too-short")
    assert not StoredObject.objects.exists()
    assert not Lock.objects.exists()


@pytest.mark.django_db
def test_as_it_is_announced(backup: Caller) -> None:
    offer = presigned.announce(backup, some(10), kind="index")[0]
    assert (offer["status"], offer["code"]) == ("refused", "too-short")
    assert not Attempt.objects.exists()


class TestWithOpenStores:
    """Of regions that clients send to themselves."""

    @pytest.fixture
    def regions(self, open_regions: list[Region]) -> list[Region]:
        return open_regions

    def test_as_it_is_committed(self, backup: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
        """An older version may have taken the announcement."""
        content = some(10)
        with monkeypatch.context() as older:
            older.setitem(object_names.LEAST_SIZES, ObjectType.INDEX, 0)
            offer = presigned.announce(backup, content, kind="index")[0]
        assert presigned.put(offer, content) == 200
        assert presigned.commit(backup, offer["attempt"]) == ["refused"]
        assert backup.names("index") == []
