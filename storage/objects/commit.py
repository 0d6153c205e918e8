"""Commits uploads whose bytes are durable in a region, whichever way they came.

One transaction for uploads to one vault. Rights and quota are asked again, each attempt is taken
out of the sweep's reach, and then there is a new object with its lifetime and its replicas, or a
further replica of an object that was there, or a removed object comes back. Whatever was held
against the quota is settled.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from storage.counters import tally
from storage.database import bulk, lock_order
from storage.errors import ForbiddenError, SetUpError
from storage.events import notices, runs
from storage.models import Attempt, Credential, Lifetime, Region, Replica, StoredObject, Vault
from storage.object_names import ObjectType
from storage.objects import replicas
from storage.vaults import index_freshness, lifetimes, quota, sequence
from storage.vaults.access import Access

MAX_KEYS = 10  # of a vault
_Key = tuple[str, str]  # an object's type and name


@dataclass(frozen=True)
class Arrival:
    """An upload whose bytes are durable in their region and have the right hash.

    `size` is in bytes, `sha256` has 64 hex digits. `may_come_again` says whether the client holds
    an address to which it can send the same bytes once more, after they were removed.
    """

    attempt: Attempt
    size: int
    sha256: str
    may_come_again: bool = False

    @property
    def key(self) -> _Key:
        """The object's type and name, which identify it in its vault."""
        return self.attempt.type, self.attempt.name


def commit(access: Access, arrivals: Sequence[Arrival], *, lock: str = "") -> dict[str, bool]:
    """Commit uploads to the access's vault, all of them or none.

    `lock` is the name of the run's lock, if the client says so. Returns, by attempt, whether its
    bytes became a replica; they do not where the region has a good one. An attempt that had ended
    before, or whose region was taken out of use, is left out. Raises a RefusedError where the
    access ended, does not allow it any more, or would replace what is there.
    """
    return _commit(access, arrivals, lock) if arrivals else {}


@tally.counting()
def _commit(access: Access, arrivals: Sequence[Arrival], lock: str) -> dict[str, bool]:
    vault = sequence.lock(access.vault)
    access = access.renewed()  # what allowed it at its beginning may have ended meanwhile
    for kind in {one.attempt.type for one in arrivals}:
        access.require_create(ObjectType(kind))
    quota.require_within(access.vault.account, access.entitlements.quota)
    won = _take(arrivals)
    existing = _existing(vault, won)
    for one in won:
        _require_allowed(access, vault, one, existing.get(one.key), lock)
    new = {one.key: one for one in won if one.key not in existing}
    _add(access, vault, list(new.values()), lock)
    became = {one.attempt.pk: True for one in new.values()}
    joining = [one for one in won if new.get(one.key) is not one]
    # One that came twice in this batch was made just now.
    known = {one.key: existing.get(one.key) or _named(vault, [one]).get() for one in joining}
    with tally.changing({obj.pk for obj in known.values()}):
        for one in joining:
            became[one.attempt.pk] = _join(access, vault, known[one.key], one)
    return became


def _take(arrivals: Sequence[Arrival]) -> list[Arrival]:
    """Take attempts out of the sweep's reach; return those that were not in it yet."""
    open_ones = Attempt.objects.filter(
        pk__in=[one.attempt.pk for one in arrivals],
        state=Attempt.State.WRITING,
        region__status__in=Region.READABLE,
    )
    if len(arrivals) == 1:  # one statement, for those that come through the gateway
        (one,) = arrivals
        return [one] if open_ones.update(state=Attempt.State.STORED, size=one.size) else []
    locked = open_ones.select_for_update(no_key=True, of=("self",)).order_by("pk")
    still = set(locked.values_list("pk", flat=True))
    Attempt.objects.filter(pk__in=still).update(state=Attempt.State.STORED)
    return [one for one in arrivals if one.attempt.pk in still]


def _existing(vault: Vault, arrivals: Sequence[Arrival]) -> dict[_Key, StoredObject]:
    """Lock and return what the vault has under these names already, with its replicas locked."""
    rows = _named(vault, arrivals).select_for_update(no_key=True).order_by("pk")
    existing = {(one.type, one.name): one for one in rows}
    if existing:
        # Replicas are changed one object after the other, so they are locked before, all at once.
        lock_order.lock(Replica.objects.filter(object__in=[one.pk for one in existing.values()]))
    return existing


def _require_allowed(
    access: Access, vault: Vault, arrival: Arrival, obj: StoredObject | None, lock: str
) -> None:
    """Raise a RefusedError where the object may not be committed now."""
    if obj is not None:
        require_same(obj, size=arrival.size, sha256=arrival.sha256)
    if arrival.attempt.type == ObjectType.SNAPSHOT and not (obj and obj.is_live):
        index_freshness.require_fresh(access.credential, vault, lock=lock)
    if arrival.attempt.type == ObjectType.KEY:
        _require_few_keys(vault, arrival.attempt.name)


def require_same(obj: StoredObject, *, size: int, sha256: str) -> None:
    """Raise ForbiddenError if an object has other bytes than came under its name."""
    if (obj.sha256, obj.size) != (sha256, size):
        if obj.type == ObjectType.CONFIG:
            raise SetUpError(
                "This vault has a repository already, and keeps it. Whoever has its passphrase can "
                "back up into it and restore from it."
            )
        raise ForbiddenError(
            f"The vault has other bytes under the name {obj.type}/{obj.name} and keeps them."
        )


def _require_few_keys(vault: Vault, name: str) -> None:
    keys = StoredObject.objects.live().filter(vault=vault, type=ObjectType.KEY)
    others = keys.exclude(name=name)
    if others.count() >= MAX_KEYS:
        raise ForbiddenError(f"A vault has at most {MAX_KEYS} keys; remove one first.")


def _add(access: Access, vault: Vault, arrivals: Sequence[Arrival], lock: str) -> None:
    """Add new objects to a vault, with their replicas, and settle what was reserved for them."""
    if not arrivals:
        return
    created = create(vault, arrivals, by=access.credential.pk)
    attempts = [one.attempt for one in arrivals]
    replicas.place(
        vault.pk,
        [numbered for numbered, _ in created],
        attempts,
        promised=access.entitlements.copies,
        continent=access.vault.account.continent,
    )
    live = sum(quota.cost(one.size) for one in arrivals)
    quota.settle_all([attempt.pk for attempt in attempts], live=live)
    runs.added(access.credential.pk, sum(one.size for one in arrivals))
    for attempt, (_, step) in zip(attempts, created, strict=True):
        _note_milestones(vault, attempt.type, step)
        if attempt.type == ObjectType.KEY and vault.state != Vault.State.SETUP:
            prefix = access.credential.prefix
            notices.tell_of_key(vault, attempt.name, credential=prefix, at=step.at, removed=False)
        if attempt.type == ObjectType.SNAPSHOT:
            runs.completed(vault, access.credential, step, snapshot=attempt.name, lock=lock)


def create(
    vault: Vault, arrivals: Sequence[Arrival], *, by: int | None
) -> list[tuple[replicas.Numbered, sequence.Tick]]:
    """Insert objects, each with a lifetime that begins now, into a vault whose row is locked.

    Call inside `tally.counting`. `by` is the credential, by primary key. Returns each object with
    its step in the vault's count.
    """
    steps = sequence.ticks(vault, len(arrivals))
    kinds, sizes = [one.attempt.type for one in arrivals], [one.size for one in arrivals]
    inserted = bulk.insert(
        StoredObject,
        {"vault_id": vault.pk, "created_by_id": by},
        {
            "type": kinds,
            "name": [one.attempt.name for one in arrivals],
            "size": sizes,
            "sha256": [one.sha256 for one in arrivals],
            "sequence": [step.number for step in steps],
            "created_at": [step.at for step in steps],
        },
        returning=["sequence", "id"],
    )
    keys = dict(inserted)
    bulk.insert(
        Lifetime,
        {},
        {
            "object_id": [keys[step.number] for step in steps],
            "from_sequence": [step.number for step in steps],
            "from_at": [step.at for step in steps],
        },
    )
    tally.came(vault.pk, tally.total(kinds, sizes))
    return [
        (replicas.Numbered(keys[step.number], step.number, kind, size), step)
        for step, kind, size in zip(steps, kinds, sizes, strict=True)
    ]


def _note_milestones(vault: Vault, kind: str, step: sequence.Tick) -> None:
    """A config ends a vault's set-up, a snapshot the right to set it up."""
    if kind == ObjectType.CONFIG:
        Vault.objects.filter(pk=vault.pk, state=Vault.State.SETUP).update(state=Vault.State.ACTIVE)
    if kind == ObjectType.SNAPSHOT:
        Vault.objects.filter(pk=vault.pk).update(
            last_snapshot_at=step.at,
            last_unread=None,
            refused_at=None,
            refused_status=None,
            refused_text="",
        )
        setting_up = Credential.objects.filter(vault=vault).exclude(setup_until=None)
        Credential.objects.filter(pk__in=lock_order.lock(setting_up)).update(setup_until=None)


def _join(access: Access, vault: Vault, existing: StoredObject, arrival: Arrival) -> bool:
    """Add another replica to an object that exists, reviving it if it was removed.

    Return whether they became a replica. If not, and if they may come again, they are held
    against the quota until they are swept. Raises OverQuotaError.
    """
    attempt = arrival.attempt
    comes_back = existing.state in StoredObject.REMOVED
    if comes_back:
        lifetimes.revive(existing, vault, access.credential)
    if existing.state == StoredObject.State.LOST:
        StoredObject.objects.filter(pk=existing.pk).update(state=StoredObject.State.LIVE)
    is_replica = replicas.add(existing, attempt)
    continent = access.vault.account.continent
    replicas.ensure(existing, attempt.region, access.entitlements.copies, continent=continent)
    back = quota.cost(existing.size) if comes_back else 0
    if is_replica or not arrival.may_come_again:
        quota.settle(attempt, live=back, tombstoned=-back)
    elif comes_back:  # beside what is held, this needs room of its own
        quota.reserve_bytes(access.vault.account, [existing.size], access.allowance)
        quota.book(vault.account_id, live=back, tombstoned=-back, reserved=-back)
    return is_replica


def _named(vault: Vault, arrivals: Sequence[Arrival]) -> QuerySet[StoredObject]:
    """Return the vault's objects that have these types and names."""
    return StoredObject.objects.filter(
        vault=vault,
        type__in={one.attempt.type for one in arrivals},
        name__in=[one.attempt.name for one in arrivals],
    )
