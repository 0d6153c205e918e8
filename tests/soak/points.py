"""`python -m tests.soak.points`: fail, then kill, at every call of database, store or broker.

Each operation runs in a process of its own, which is killed for good (SIGKILL) before or after
its Nth call, or whose Nth call fails; for every N until the operation completes. Afterwards the
service goes on, and what was acknowledged has to be there, in every region, with its bytes.

Regions are directories, then buckets of a real SeaweedFS, where clients also send directly.
"""

import argparse
import hashlib
import io
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.soak.injected_faults import COUNT_ONLY, WAYS, hurt

LATER = timedelta(days=2)


class BrokenPledgeError(Exception):
    """Something that was acknowledged is gone, or something is left lying about."""


@dataclass
class Trial:
    """A vault, what was acknowledged in it, and the operations that are hurt."""

    chance: random.Random
    acknowledged: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        from accounts.actions import open_account
        from accounts.audit import SERVICE
        from accounts.models import User
        from billing.actions import subscribe
        from storage.stores.registry import prepare_new, sync_rows
        from storage.vaults.enrolment import create_vault

        sync_rows()
        prepare_new(SERVICE)
        user = User.objects.create_user("points@example.org")
        self.account = open_account(user)
        subscribe(self.account, plan="plus", actor=SERVICE)
        made = create_vault(self.account, name="v", actor=SERVICE, scope="maintain")
        self.vault, self.credential = made.vault, made.first.credential

    def access(self) -> Any:
        from billing.actions import entitlements_of
        from storage.vaults.access import Access

        return Access(self.credential, self.vault, entitlements_of(self.account))

    def content(self) -> tuple[str, bytes]:
        content = self.chance.randbytes(3000)
        return hashlib.sha256(content).hexdigest(), content

    def deposit(self, name: str, content: bytes) -> None:
        from storage.body import HashedBody
        from storage.object_names import ObjectType, parse_name
        from storage.uploads import ingest

        body = HashedBody(io.BytesIO(content), size=len(content), sha256=name)
        ingest.deposit(self.access(), parse_name(ObjectType.DATA, name), body)

    def keep(self) -> str:
        """Store one more object, undisturbed."""
        name, content = self.content()
        self.deposit(name, content)
        self.acknowledged[name] = content
        return name

    # Each operation: prepare (undisturbed), then what is hurt, then what must be so.

    def write(self) -> tuple[Callable[[], object], Callable[[bool], object]]:
        name, content = self.content()

        def after(is_acknowledged: bool) -> None:
            if is_acknowledged:
                self._require_there(name, content)
            self.deposit(name, content)  # the client's repeat
            self.acknowledged[name] = content

        return lambda: self.deposit(name, content), after

    def direct(self) -> tuple[Callable[[], object], Callable[[bool], object]]:
        """As `write`, but the bytes go to the store itself."""
        name, content = self.content()

        def after(is_acknowledged: bool) -> None:
            if is_acknowledged:
                self._require_there(name, content)
            self._send_directly(name, content)  # the client's repeat
            self.acknowledged[name] = content

        return lambda: self._send_directly(name, content), after

    def _send_directly(self, name: str, content: bytes) -> None:
        """Announce, send and commit, as an agent does. Raises OSError if it is not on record."""
        from storage.object_names import ObjectType, parse_name
        from storage.objects.batch import ItemStatus
        from storage.uploads import presigned
        from tests.support.stores.client import send

        wish = presigned.Announcement(parse_name(ObjectType.DATA, name), len(content))
        (offer,) = presigned.announce(self.access(), [wish])
        if offer.status is ItemStatus.THERE:
            return
        if offer.request is None:
            raise OSError(f"not to be sent: {offer}")
        # What was sent before its commit was cut off is there already.
        if (status := send(offer.request, content)[0]) not in (200, 412):
            raise OSError(f"the store answers {status}")
        (result,) = presigned.commit(self.access(), [offer.attempt])
        if result.status is not ItemStatus.STORED:
            raise OSError(f"not on record: {result}")

    def copy(self) -> tuple[Callable[[], object], Callable[[bool], object]]:
        from storage.replication.replicator import replicate_due

        self.keep()
        self.keep()
        return replicate_due, lambda _: None

    def repair(self) -> tuple[Callable[[], object], Callable[[bool], object]]:
        from accounts.audit import SERVICE
        from storage.integrity import scrub
        from storage.integrity.repair import repair
        from storage.models import Replica
        from storage.replication.replicator import replicate_due
        from storage.stores.registry import store_of

        name = self.keep()
        replicate_due()
        copies = Replica.objects.filter(object__name=name).select_related(
            "region", "attempt__vault"
        )
        copy = self.chance.choice(list(copies))
        assert copy.attempt is not None
        _spoil(store_of(copy.region), copy.attempt.key)

        def operation() -> None:
            scrub.scrub_all()
            repair(SERVICE)

        return operation, lambda _: scrub.scrub_all()

    def purge(self) -> tuple[Callable[[], object], Callable[[bool], object]]:
        from backup_service import clock
        from storage.deletion import purge, sweep, tombstones
        from storage.object_names import ObjectType, parse_name
        from storage.replication.replicator import replicate_due

        comes_back, goes = self.keep(), self.keep()
        replicate_due()
        for name in (comes_back, goes):
            tombstones.remove(self.access(), parse_name(ObjectType.DATA, name))
        content = self.acknowledged.pop(comes_back)
        self.acknowledged.pop(goes)

        def operation() -> None:
            purge.purge(grace_ended_before=clock.now())
            sweep.sweep(doomed_before=clock.now() + LATER)

        def after(_: bool) -> None:
            self.deposit(comes_back, content)
            self.acknowledged[comes_back] = content
            operation()

        return operation, after

    # What must hold

    def _require_there(self, name: str, content: bytes) -> None:
        from storage.downloads import read
        from storage.object_names import ObjectType, parse_name

        held = read.find(self.vault, parse_name(ObjectType.DATA, name))
        outgoing = read.fetch(held, None, reader="points")
        if b"".join(outgoing.chunks) != content:
            raise BrokenPledgeError(f"{name} came back with other bytes")

    def settle(self) -> None:
        """Let the service go on until everything is done, then look at everything."""
        from backup_service import clock
        from storage.deletion import purge, sweep
        from storage.downloads import read
        from storage.models import Region, Reservation, StoredObject
        from storage.replication.replicator import replicate_due

        for minutes in (0, 10, 20, 40):
            with clock.travelled(timedelta(minutes=minutes)):
                replicate_due()
        for days in (2, 3):
            with clock.travelled(timedelta(days=days)):
                purge.purge(grace_ended_before=clock.now())
                sweep.sweep()
        live = StoredObject.objects.filter(vault=self.vault, state="live")
        names = set(live.values_list("name", flat=True))
        if names != set(self.acknowledged):
            raise BrokenPledgeError(f"live are {names}, acknowledged {set(self.acknowledged)}")
        for held in live:
            for region in Region.objects.all():
                found = b"".join(read.fetch_from(region, held))
                if found != self.acknowledged[held.name]:
                    raise BrokenPledgeError(f"{held.name} differs in {region.alias}")
        self._require_no_orphans()
        if Reservation.objects.exists():
            raise BrokenPledgeError("a reservation is left")

    def _require_no_orphans(self) -> None:
        from storage.models import Attempt, Region
        from storage.stores.registry import store_of
        from storage.vaults import quota

        for region in Region.objects.all():
            for key, _ in store_of(region).list_keys():
                attempt = Attempt.objects.filter(pk=key.attempt).first()
                if attempt is None or attempt.state not in ("stored", "quarantined"):
                    raise BrokenPledgeError(f"orphan bytes in {region.alias}: {key}")
                if attempt.state == "stored" and not hasattr(attempt, "replica"):
                    raise BrokenPledgeError(f"no row points to {key} in {region.alias}")
        if not quota.recount(self.account, mend=False).agrees:
            raise BrokenPledgeError("the account is charged for something else than it has")

    def forget(self) -> None:
        """Begin anew with an empty vault, so that trials stay quick."""
        from backup_service import clock
        from storage.deletion import purge, sweep, tombstones
        from storage.object_names import ObjectType, parse_name

        for name in list(self.acknowledged):
            tombstones.remove(self.access(), parse_name(ObjectType.DATA, name))
        self.acknowledged.clear()
        purge.purge(grace_ended_before=clock.now())
        sweep.sweep(doomed_before=clock.now() + LATER)


def _spoil(store: Any, key: Any) -> None:
    """Put other bytes behind the back of the service, as a failing drive does."""
    from storage.stores.filesystem import layout

    if hasattr(store, "region"):
        store.general.again.put_object(Bucket=store.region.bucket, Key=str(key), Body=b"decayed")
    else:
        layout.path_of(store.root, key).write_bytes(b"decayed")


OPERATIONS = {
    "directories": ("write", "copy", "repair", "purge"),
    "s3": ("write", "direct", "copy", "repair", "purge"),
}


def _count(trial: Trial, name: str) -> int:
    """Let an operation run undisturbed; return how many calls it makes."""
    operation, after = getattr(trial, name)()
    completed, calls = hurt(operation, WAYS[0], COUNT_ONLY)
    after(completed)
    trial.settle()
    if not completed or calls < 5:
        raise BrokenPledgeError(f"{name} does not work undisturbed ({calls} calls)")
    return calls


def run(chance: random.Random, *, sample: int, operations: list[str]) -> int:
    """Hurt every operation at every call, or at `sample` of them; return how often."""
    trial = Trial(chance)
    times = 0
    for name in operations:
        calls = _count(trial, name)
        for way in WAYS:
            begun = time.monotonic()
            moments = range(1, calls + 1)
            chosen = sorted(chance.sample(moments, min(sample, calls))) if sample else moments
            for at in chosen:
                trial.forget()
                operation, after = getattr(trial, name)()
                try:
                    after(hurt(operation, way, at)[0])
                    trial.settle()
                except Exception as error:
                    raise BrokenPledgeError(f"{name}, {way} at call {at}: {error!r}") from error
                times += 1
            trial.forget()
            seconds = time.monotonic() - begun
            print(
                f"{name:<7} {way:<12} {len(chosen)} of {calls} calls, {seconds:.0f} s", flush=True
            )
    return times


def prepare(folder: Path) -> None:
    """Set this process up as a service of its own below `folder`."""
    for name in [name for name in os.environ if name.startswith("NIGHTSAFE_")]:
        del os.environ[name]
    os.environ.pop("DATABASE_URL", None)
    os.environ["DATA_DIR"] = str(folder)
    os.environ["NIGHTSAFE_EMBEDDED"] = "1"
    os.environ["NIGHTSAFE_BROKER_URL"] = "redis://127.0.0.1:1/0"
    os.environ["NIGHTSAFE_LOG_LEVEL"] = "CRITICAL"
    # One replica at a time, so that the calls come in the same order each time.
    os.environ["NIGHTSAFE_COPIES_AT_ONCE"] = "a=1,b=1"
    os.environ["DJANGO_SETTINGS_MODULE"] = "backup_service.settings"
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def _use_buckets(stack: ExitStack) -> None:
    """Put the regions into a SeaweedFS that runs until the stack is left."""
    from django.conf import settings

    from tests.support.stores import regions as places
    from tests.support.stores import seaweedfs

    store = stack.enter_context(seaweedfs.running())
    places.apply(settings, places.environment(store, "a", "b"))


def try_all(place: str, args: argparse.Namespace) -> int:
    """Hurt the operations of one kind of regions; return the exit status."""
    chosen = [name for name in args.only or OPERATIONS[place] if name in OPERATIONS[place]]
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="nightsafe-points-"))
        prepare(Path(folder))
        if place == "s3":
            _use_buckets(stack)
        try:
            times = run(random.Random(args.seed), sample=args.sample, operations=chosen)
        except BrokenPledgeError as error:
            print(f"BROKEN with seed {args.seed}, regions in {place}: {error}")
            return 1
    print(f"{place}: hurt {times} times; everything acknowledged is there")
    return 0


def main() -> int:
    """Run; 1 when a pledge was broken. The seed is printed, to try the same again."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.points", description=__doc__)
    parser.add_argument("--sample", type=int, default=0, help="only so many calls (0: all)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--only", choices=OPERATIONS["s3"], action="append")
    parser.add_argument("--place", choices=OPERATIONS, help="only with regions of this kind")
    args = parser.parse_args()
    if args.place:
        print(f"seed {args.seed}", flush=True)
        return try_all(args.place, args)
    # Settings are read once a process, so that each kind has one of its own.
    again = [sys.executable, "-m", "tests.soak.points", *sys.argv[1:], f"--seed={args.seed}"]
    ended = [subprocess.run([*again, "--place", place], check=False) for place in OPERATIONS]
    return max(done.returncode for done in ended)


if __name__ == "__main__":
    sys.exit(main())
