"""A region is added, taken offline, brought back, drained and removed while clients work.

The regions are buckets of a real store, to which the agent sends by itself and stock restic is
redirected. Runs on PostgreSQL as well: with DATABASE_URL, as `tools.test` sets it.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from backup_service.embedded.stores import Store
from storage.stores.s3.marker import NAME as MARKER
from storage.stores.s3.store import S3Store
from tests.contracts.conftest import seaweed
from tests.journeys.test_all_at_once import Customer, at_work, customers
from tests.journeys.test_runbook import region, status
from tests.support.journeys.processes import Processes
from tests.support.stores import regions as places
from tests.support.stores import seaweedfs
from tests.support.waiting import wait_until

__all__ = ["seaweed"]
pytestmark = [pytest.mark.journey, pytest.mark.rehearsal]
PATIENCE = 120  # seconds, on a machine that has much else to do


def back_up_and_restore(folder: Path) -> Callable[[Customer], None]:
    """Return a turn of a customer, who compares what was just backed up."""

    def turn(one: Customer) -> None:
        target = folder / f"restored-{one.vault}"
        one.back_up()
        one.require_restored(list(one.saved)[-1], target)
        shutil.rmtree(target)

    return turn


def a_round_more(everybody: list[Customer]) -> None:
    """Wait until everybody has come to the end of a backup."""
    before = [len(one.saved) for one in everybody]
    wait_until(
        lambda: all(len(one.saved) > had for one, had in zip(everybody, before, strict=True)),
        PATIENCE,
        lambda: f"{before} backups each, and no more: {[len(one.saved) for one in everybody]}",
    )


def thin(service: Processes, alias: str) -> int:
    """Count what is held in a region and has not two copies that count, wherever they are."""
    code = (
        "from storage.models import Replica, StoredObject; "
        f"held = StoredObject.objects.filter(replicas__region__alias='{alias}', state='live'); "
        "print(held.annotate(n=Replica.objects.counted().per_object()).filter(n__lt=2).count())"
    )
    return int(service.ask("shell", "-v0", "-c", code))


def alone(service: Processes, alias: str) -> int:
    """Count what is held in a region and has no copy that counts in any other."""
    code = (
        "from storage.models import Replica, StoredObject; "
        f"held = StoredObject.objects.filter(replicas__region__alias='{alias}', state='live'); "
        f"others = Replica.objects.counted().exclude(region__alias='{alias}'); "
        "print(held.exclude(pk__in=others.values('object')).count())"
    )
    return int(service.ask("shell", "-v0", "-c", code))


def has_left(service: Processes, alias: str) -> bool:
    """Whether no object is in a region any more; copies elsewhere are read back as it is asked."""
    service.ask("scrub")
    return not region(service, alias)["objects"]


def is_whole(service: Processes) -> bool:
    service.ask("scrub")
    shown = status(service)
    return not (shown["fewer_than_two_verified"] or shown["waiting"])


def test_no_client_fails_while_regions_come_and_go(seaweed: Store, tmp_path: Path) -> None:
    variables = places.environment(seaweed, "a", "b", "c")
    with Processes(tmp_path, **variables) as service:
        service.manage("region", "drain", "c")
        service.manage("region", "remove", "c", "--yes")
        everybody = list(customers(service, tmp_path))
        for one in everybody:
            one.back_up()
        assert region(service, "a")["objects"]
        turn = back_up_and_restore(tmp_path)

        with at_work(everybody, turn):
            service.manage("region", "add", "c")
            # Everything was uploaded to it. What has no copy elsewhere yet nobody could read.
            service.manage("region", "read-only", "a")
            a_round_more(everybody)
            wait_until(lambda: not alone(service, "a"), PATIENCE, lambda: str(status(service)))
            service.manage("region", "offline", "a")
            wait_until(lambda: not thin(service, "a"), PATIENCE, lambda: str(status(service)))
            a_round_more(everybody)
            service.manage("region", "online", "a")
            service.manage("region", "drain", "a")
            wait_until(lambda: has_left(service, "a"), PATIENCE, lambda: str(region(service, "a")))

        # The bytes stay as long as somebody may be reading them, and places for bytes as long as
        # a client that was to send them itself may do so. The sweep comes every five minutes.
        service.travel(3 * 3600)
        service.manage("purge")
        assert region(service, "a")["empty"], region(service, "a")

        with at_work(everybody, turn):
            service.manage("region", "offline", "a")
            service.manage("region", "remove", "a", "--yes")
            a_round_more(everybody)
        assert [one.tries for one in everybody] == [len(one.saved) for one in everybody]

        wait_until(lambda: is_whole(service), PATIENCE, lambda: str(status(service)))
        shown = status(service)
        assert (shown["lost"], shown["under_replicated"], shown["too_few_regions"]) == (0, 0, False)
        compared = service.manage("reconcile", "--json")
        assert (compared["unknown"], compared["missing"]) == ([], 0)
        assert left_in(seaweed, places.bucket(variables, "a")) == {MARKER}
        for one in everybody:
            for snapshot in [*list(one.saved)[:1], *list(one.saved)[-1:]]:
                one.require_restored(snapshot, tmp_path / "at-last" / snapshot)


def left_in(store: Store, bucket: str) -> set[str]:
    """Return what lies in a bucket, whatever any row says."""
    client = S3Store(seaweedfs.region(store, bucket)).general.again
    return {entry["Key"] for entry in client.list_objects_v2(Bucket=bucket).get("Contents", [])}
