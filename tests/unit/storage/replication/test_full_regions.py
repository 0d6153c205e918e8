"""A region that runs full under replicas: they are made elsewhere, and it is told of."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pytest_django import Settings

from accounts.audit import SERVICE
from accounts.models import Account
from backup_service import clock
from storage.deletion import sweep
from storage.integrity import scrub
from storage.models import Region, Replica
from storage.monitoring import alarms
from storage.regions import health
from storage.replication import backfill
from storage.replication.replicator import replicate_due
from storage.stores.filesystem.staging import FOLDER as STAGING
from storage.stores.filesystem.store import HEADROOM
from storage.stores.registry import prepare_new, sync_rows
from tests.support.disks import small_disk
from tests.support.storage.faulty_regions import buckets, everywhere, fronts, strays, ways
from tests.support.storage.faulty_regions import regions as stores
from tests.support.storage.regions import region
from tests.support.storage.replicas import replica_in, states
from tests.support.stores.proxy import FaultyProxy
from tests.unit.storage.conftest import Caller, person, sha, some

__all__ = ["buckets", "fronts", "stores", "ways"]
pytestmark = pytest.mark.django_db
ROOM = 3 << 20  # bytes


class TestAStore:
    """It has no room, which it says when it is to take something."""

    @pytest.fixture
    def account(self, stores: list[Region]) -> Account:
        """Somebody whose plan promises two replicas."""
        return person("alice@example.org")

    def test_copies_are_made_elsewhere(
        self, backup: Caller, fronts: dict[str, FaultyProxy]
    ) -> None:
        contents = [some(20_000) for _ in range(3)]
        for content in contents:
            backup.put(content)
        fronts["b"].does("refuse-507", to="PUT")
        assert replicate_due() == 0
        for content in contents:
            waiting = replica_in(backup.stored_object(content), "b")
            assert (waiting.state, waiting.tries, waiting.parked_at) == ("pending", 0, None)
        assert region("b").health == "full"
        assert "full:b" in [found.key for found in alarms.present()]
        backfill.backfill_due()
        assert replicate_due() == len(contents)
        scrub.scrub_all()
        assert everywhere(backup, contents, "ac")
        assert not Replica.objects.filter(region__alias="b").exists()

        fronts["b"].mend()
        with clock.travelled(timedelta(minutes=6)):
            health.check_all()
            assert region("b").health == "well"
            contents.append(some(20_000))
            backup.put(contents[-1])
            backfill.backfill_due()
            assert replicate_due() == 1
            scrub.scrub_all()
        assert everywhere(backup, contents[:-1], "ac")
        assert everywhere(backup, contents[-1:], "ab")
        sweep.sweep(doomed_before=clock.now() + timedelta(days=1))
        assert strays(backup.vault.public_id) == []


class TestADisk:
    """It is really full: a small file system."""

    @pytest.fixture
    def disk(self, tmp_path: Path) -> Iterator[Path]:
        with small_disk(tmp_path / "disk", HEADROOM + ROOM) as folder:
            yield folder

    @pytest.fixture
    def regions(self, settings: Settings, db: None, disk: Path, tmp_path: Path) -> list[Region]:
        places = {"a": tmp_path / "region-a", "b": disk / "region", "c": tmp_path / "region-c"}
        settings.REGIONS = {alias: str(place) for alias, place in places.items()}
        sync_rows()
        prepare_new(SERVICE)
        return list(Region.objects.order_by("priority"))

    def test_what_fits_is_copied_there_and_the_rest_elsewhere(
        self, backup: Caller, disk: Path
    ) -> None:
        contents = [some(1_000_000) for _ in range(6)]
        for content in contents:
            backup.put(content)
        fits = replicate_due()
        assert 1 <= fits < len(contents)
        assert region("b").health == "full"
        assert list((disk / "region" / STAGING).iterdir()) == []
        waiting = Replica.objects.filter(region__alias="b", state="pending")
        assert set(waiting.values_list("tries", "verified_at")) == {(0, None)}
        backfill.backfill_due()
        assert replicate_due() == len(contents) - fits
        found = ["".join(sorted(states(backup.stored_object(content)))) for content in contents]
        assert sorted(found) == ["ab"] * fits + ["ac"] * (len(contents) - fits)
        assert set(Replica.objects.values_list("state", flat=True)) == {"stored"}
        assert scrub.scrub_all().damaged == 0
        assert all(backup.fetch(f"data/{sha(content)}") == content for content in contents)
