"""Tracks runs of restic clients by their locks: when each began, which may be going on.

Several processes may use one credential, and nothing but its lock tells one from another. Stock
restic (0.14 to 0.19 were watched) lists the locks, puts its own, lists them again, and then reads
the index. Every five minutes it puts a new lock and then removes the former one, whether or not
that is still there; at its end it removes its lock. `unlock` lists the locks and removes some
without having put one. So

- a run has read the index after its first lock was put: `Lock.since` is where the vault stood then,
  and a lock that takes a former one's place takes that over;
- of a lock that was removed it is kept for a day whether its run may be going on: somebody else
  removed it, or its own credential did after more listings than runs that began explain;
- whoever removes a lock that is gone was its run: a lock that was put right before stands for it.

All of this changes under the vault's row lock.
"""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, QuerySet, Value
from django.db.models.functions import Least

from backup_service import clock
from storage.models import Credential, EndedLock, Lock, Vault
from storage.vaults import sequence

RENEWED_WITHIN = timedelta(seconds=30)  # from putting a new lock to removing the former
SILENT_AFTER = timedelta(minutes=10)  # a run renews its lock every five
STALE_AFTER = timedelta(minutes=30)  # for stock restic and the agent
MOST_ENDED = 50  # of a credential
KEPT = timedelta(days=1)


def listed_locks(credential: Credential) -> None:
    """Note that a credential listed the locks."""
    mine = Lock.objects.filter(credential=credential)
    if mine.exists():
        with transaction.atomic():
            sequence.lock(credential.vault)
            mine.update(looks=F("looks") + 1)


def began(lock: Lock) -> None:
    """Note a lock that was just put; it is taken for that of a new run, until that turns out."""
    EndedLock.objects.filter(credential=lock.credential_id, name=lock.name).delete()
    if not lock.is_begun:  # who puts a lock otherwise lists the others before and after
        Lock.objects.filter(pk=lock.pk).update(looks=-1)
        _others(lock).update(looks=F("looks") - 2)


def ended(lock: Lock, by: Credential) -> None:
    """Note that `by` removes a lock: at its run's end, for a newer one, or another run's.

    Call before it is deleted.
    """
    is_own = by.pk == lock.credential_id
    heirs = _just_put(lock.credential_id, lock.created_at) if is_own else []
    if heirs:
        _hand_on(heirs, lock.since, lock.began_at)
        newest = heirs[0]
        Lock.objects.filter(pk=newest.pk).update(looks=lock.looks + 2)
        _others(newest).exclude(pk=lock.pk).update(looks=F("looks") + 2)
        return
    EndedLock.objects.create(
        vault_id=lock.vault_id,
        name=lock.name,
        credential_id=lock.credential_id,
        since=lock.since,
        created_at=lock.created_at,
        began_at=lock.began_at,
        may_go_on=not is_own or lock.looks > 0,
    )
    of_credential = EndedLock.objects.filter(credential=lock.credential_id)
    surplus = of_credential.order_by("-pk").values_list("pk", flat=True)[MOST_ENDED:]
    EndedLock.objects.filter(pk__in=list(surplus)).delete()


def missed(credential: Credential, vault: Vault, name: str) -> None:
    """Note that a credential tried to remove a lock that is gone, as its run does."""
    gone = EndedLock.objects.filter(vault=vault, credential=credential, name=name)
    trace = gone.order_by("-pk").first()
    if trace is not None:
        _hand_on(_just_put(credential.pk, trace.ended_at), trace.since, trace.began_at)
        gone.delete()


def beginnings(credential: Credential, vault: Vault, *, lock: str = "") -> list[int]:
    """Return where the vault stood when those runs began, one of which may be asking now.

    One alone if it names its `lock`; none if there is no lock of this credential.
    """
    mine = Lock.objects.filter(credential=credential, vault=vault)
    named = mine.filter(name=lock).values_list("since", flat=True).first()
    if named is not None:
        return [named]
    now = clock.now()
    locks = list(mine.values_list("since", "created_at"))
    # Beside a lock that is renewed, one that is not is what a killed run left.
    living = [one for one in locks if one[1] > now - STALE_AFTER] or locks
    if not living:
        return []
    gone = EndedLock.objects.filter(
        credential=credential, vault=vault, may_go_on=True, created_at__gt=now - SILENT_AFTER
    )
    return [since for since, _ in living] + list(gone.values_list("since", flat=True))


def began_at(credential: Credential, vault: Vault, *, lock: str = "") -> datetime | None:
    """Return when the run began that holds the named lock, or the credential's only one.

    None where that cannot be told: it has no lock, or others of the same credential are running.
    """
    mine = Lock.objects.filter(credential=credential, vault=vault)
    named = mine.filter(name=lock).values_list("began_at", flat=True).first() if lock else None
    if named is not None:
        return named
    living = mine.filter(created_at__gt=clock.now() - STALE_AFTER)
    begun = set(living.values_list("began_at", flat=True)[:3])
    return begun.pop() if len(begun) == 1 else None


def forget_ended(now: datetime) -> None:
    """Delete the records of locks that were removed a day ago."""
    EndedLock.objects.filter(ended_at__lte=now - KEPT).delete()


def _others(lock: Lock) -> QuerySet[Lock]:
    return Lock.objects.filter(credential=lock.credential_id).exclude(pk=lock.pk)


def _just_put(credential: int, after: datetime) -> list[Lock]:
    """Return the locks that may have been put to take a former one's place, newest first."""
    moment = max(after, clock.now() - RENEWED_WITHIN)
    put = Lock.objects.filter(credential=credential, created_at__gt=moment, is_begun=False)
    return list(put.defer("body").order_by("-created_at"))


def _hand_on(heirs: list[Lock], since: int, began_at: datetime) -> None:
    Lock.objects.filter(pk__in=[one.pk for one in heirs]).update(
        since=Least(F("since"), since), began_at=Least(F("began_at"), Value(began_at))
    )
