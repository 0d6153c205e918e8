"""Whatever is done in whatever order, the counts are those of the rows after every step."""

import random
import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db.models import QuerySet

from accounts.audit import SERVICE
from backup_service import clock
from storage.deletion import purge, vaults, whole_vaults
from storage.integrity import future_times, repair, scrub
from storage.models import Refill, Region, Replica, StoredObject, Vault
from storage.objects import damage
from storage.objects.verify import BadBytesError
from storage.regions import drain, lifecycle, write_off
from storage.replication import backfill, leases
from storage.replication.replicator import replicate_due
from storage.rewind import requests, worker
from storage.rewind.requests import UndeleteError, Wanted
from storage.stores.base import NoSuchKeyError, RegionError
from storage.vaults.enrolment import create_vault
from tests.support.storage.counts import require_counted, require_figures
from tests.support.storage.regions import region, sweep
from tests.support.storage.three_regions import regions
from tests.unit.storage.conftest import Caller, caller, sha, some
from tests.unit.storage.conftest import damage as decay

__all__ = ["regions"]
pytestmark = pytest.mark.django_db
STEPS = 200


class Walk:
    """A service of three regions, two callers, and everything that can happen to them."""

    def __init__(self, callers: list[Caller], chance: random.Random) -> None:
        self.callers = callers
        self.chance = chance
        self.contents: list[tuple[Caller, str, bytes]] = []
        self.moments = [clock.database_now()]

    def upload(self) -> None:
        kind = self.chance.choice(["data", "data", "index", "snapshots", "keys"])
        self.contents.append((self.chance.choice(self.callers), kind, some(1000)))
        self._put(self.contents[-1])

    def upload_again(self) -> None:
        """A duplicate, a revival or a healing, as it comes."""
        self._put(self._any_content())

    def remove(self) -> None:
        who, kind, content = self._any_content()
        self.moments.append(clock.database_now())
        who.delete(f"{kind}/{sha(content)}")

    def remove_many(self) -> None:
        for _ in range(4):
            self.remove()

    def purge(self) -> None:
        purge.purge_removed(clock.now(), float("inf"))

    def begin_to_purge(self) -> None:
        gone = StoredObject.objects.filter(state="tombstoned").first()
        if gone is not None:
            purge.begin(gone.pk, clock.now())

    def undelete(self) -> None:
        who = self.chance.choice(self.callers)
        try:
            wanted = Wanted(moment=self.chance.choice(self.moments))
            requests.request(who.vault, wanted, actor=SERVICE)
        except UndeleteError:
            return
        worker.undelete_due()

    def copy(self) -> None:
        replicate_due()

    def decay(self) -> None:
        replica = self._any_replica()
        if replica is not None:
            decay(replica)
            scrub.scrub_due(byte_budget=1 << 30)

    def lose(self) -> None:
        obj = self._one_of(StoredObject.objects.all())
        for replica in obj.replicas.stored() if obj else ():
            damage.mark(replica, NoSuchKeyError("gone"))

    def mark(self) -> None:
        replica = self._any_replica()
        if replica is not None:
            damage.mark(replica, BadBytesError("decayed"))
            damage.mark(replica, BadBytesError("decayed"))

    def find_lost(self) -> None:
        repair.find_lost()

    def give_up_lost(self) -> None:
        vaults.give_up_lost(self.chance.choice(self.callers).vault, actor=SERVICE)

    def fail_to_copy(self) -> None:
        claim = leases.claim(3)
        for replica in claim.replicas:
            replica.tries = leases.MOST_TRIES
            leases.put_off(replica, claim.token, "no")

    def die_while_copying(self) -> None:
        claim = leases.claim(2)
        ids = [replica.pk for replica in claim.replicas]
        over = clock.now() - timedelta(seconds=1)
        Replica.objects.filter(pk__in=ids).update(tries=leases.MOST_TRIES, lease_until=over)
        leases.claim_suspect()

    def unpark(self) -> None:
        leases.unpark()
        leases.bring_forward()

    def backfill(self) -> None:
        Refill.request()
        backfill.backfill_due()

    def set_the_clock_back(self) -> None:
        """As far as the rows can tell."""
        future_times.correct(clock.now() - timedelta(hours=self.chance.randrange(1, 9)))

    def offline(self) -> None:
        self._move(lifecycle.offline)

    def online(self) -> None:
        self._move(lifecycle.online)

    def drain(self) -> None:
        self._move(lifecycle.drain)
        drain.drain_due()

    def write_off(self) -> None:
        alias = self.chance.choice("abc")
        others = Region.objects.active().exclude(alias=alias)
        if others.count() == 2 and region(alias).instance:
            lifecycle.write_off_region(region(alias), SERVICE)
            write_off.write_off_due()
            sweep()

    def add(self) -> None:
        for alias in Region.objects.filter(instance="").values_list("alias", flat=True):
            shutil.rmtree(settings.REGIONS[alias])  # it was lost
            lifecycle.add(alias, SERVICE)

    def sweep(self) -> None:
        sweep()

    def delete_a_vault(self) -> None:
        account = self.callers[0].vault.account
        if Vault.objects.filter(account=account).count() > 3:
            return  # one is enough
        made = create_vault(account, name="short", actor=SERVICE)
        Caller(made.first.credential, made.first.secret, made.vault).put(some(), "keys")
        vaults.delete_vault(made.vault, actor=SERVICE)

    def empty_a_vault(self) -> None:
        """Its owner wants it gone, and the workers begin with that."""
        pk = self.chance.choice(self.callers).vault.pk
        Vault.objects.filter(pk=pk).update(deletion_asked_at=clock.now())
        whole_vaults.remove_due(seconds=60)
        Vault.objects.filter(pk=pk).update(deletion_asked_at=None)

    def _move(self, act: Callable[..., Any]) -> None:
        with suppress(RegionError):  # where it is not possible now
            act(region(self.chance.choice("abc")), SERVICE)

    def _any_content(self) -> tuple[Caller, str, bytes]:
        if not self.contents:
            self.upload()
        return self.chance.choice(self.contents)

    def _any_replica(self) -> Any:
        stored = Replica.objects.stored().filter(region__status="active")
        rows = stored.select_related("region", "attempt__vault", "object")
        return self._one_of(rows)

    def _one_of(self, rows: QuerySet[Any]) -> Any:
        """Return a row, the same one with the same seed."""
        found = list(rows.order_by("pk"))
        return self.chance.choice(found) if found else None

    def _put(self, content: tuple[Caller, str, bytes]) -> None:
        who, kind, body = content
        who.put(body, kind)


def steps() -> list[str]:
    """What happens, the ordinary more often."""
    rare = [name for name in vars(Walk) if not name.startswith("_")]
    often = ["upload", "upload", "upload_again", "remove", "copy", "copy", "backfill", "online"]
    return [*rare, *often, *often]


def test_counts_are_those_of_the_rows_after_every_step(vault: Any, chance: random.Random) -> None:
    other = create_vault(vault.account, name="other", actor=SERVICE).vault
    callers = [caller(one, "maintain", with_setup=True) for one in (vault, other)]
    walk, names, done = Walk(callers, chance), steps(), []
    for number in range(STEPS):
        done.append(chance.choice(names))
        getattr(walk, done[-1])()
        try:
            require_counted()
            if number % 10 == 9:
                require_figures()
        except AssertionError as error:
            raise AssertionError(f"after {done[-5:]}: {error}") from error
    # Of what a walk stores little may be left at its end.
    assert sum(Vault.objects.values_list("sequence", flat=True)) > 20
