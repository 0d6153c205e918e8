"""Keeps restic's locks as rows, bounded, and accepted in every state of account and vault."""

from datetime import datetime

from django.conf import settings
from django.db import IntegrityError, models, transaction
from django.db.models import F
from django.db.models.functions import Length

from backup_service import clock
from storage.body import HashedBody
from storage.errors import ForbiddenError, TooManyError, UnknownError
from storage.models import Lock, Usage, Vault
from storage.object_names import KIB, MIB, ObjectName
from storage.vaults import client_runs, sequence
from storage.vaults.access import Access

# Beyond any honest use: a vault's, and those of all vaults of an account. restic's have 200 bytes.
OF_VAULT = (500, 256 * KIB)  # locks, bytes
OF_ACCOUNT = (5000, MIB)


def put(access: Access, name: ObjectName, body: HashedBody) -> None:
    """Keep a lock. The same one twice is fine; other bytes under its name are refused."""
    pieces = []
    while piece := body.read(body.size):
        pieces.append(piece)
    keep(access, name, b"".join(pieces))


def keep(access: Access, name: ObjectName, whole: bytes, *, is_begun: bool = False) -> None:
    """Keep a lock whose bytes have the hash that its name says.

    `is_begun`: its run reads the index in the same transaction. Raises TooManyError.
    """
    try:
        with transaction.atomic():
            _keep(access, name, whole, is_begun=is_begun)
    except IntegrityError:
        _require_same(access.vault, name, whole)
        if is_begun:
            _begin_anew(access, name)


def _keep(access: Access, name: ObjectName, whole: bytes, *, is_begun: bool) -> None:
    vault, account = Vault.objects.filter(pk=access.vault.pk), access.vault.account_id
    if not _count(vault, OF_VAULT, len(whole)):
        _drop(sequence.lock(access.vault), _stale(clock.now()).filter(vault=access.vault))
        if not _count(vault, OF_VAULT, len(whole)) and not _is_kept(access.vault, name):
            raise TooManyError("This vault has too many locks: run `unlock` and try again.")
    made = Lock.objects.create(
        vault=access.vault,
        name=name.name,
        body=whole,
        credential=access.credential,
        since=vault.values_list("sequence", flat=True).get(),
        is_begun=is_begun,
    )
    client_runs.began(made)
    Usage.objects.get_or_create(account_id=account)
    if not _count(Usage.objects.filter(account=account), OF_ACCOUNT, len(whole)):
        raise TooManyError(
            "The vaults of this account have too many locks: run `unlock` on them and try again."
        )


def _count(
    rows: models.QuerySet[Vault] | models.QuerySet[Usage], most: tuple[int, int], size: int
) -> bool:
    """Count one more lock in a vault's or account's row; return whether it is within bounds."""
    number, total = most
    within = rows.filter(locks_held__lt=number, lock_bytes__lte=total - size)
    return bool(within.update(locks_held=F("locks_held") + 1, lock_bytes=F("lock_bytes") + size))


def get(vault: Vault, name: ObjectName) -> bytes:
    """Return a lock's bytes. Raises UnknownError."""
    lock = of(vault).filter(name=name.name).first()
    if lock is None:
        raise UnknownError("There is no such lock.")
    return bytes(lock.body)


def remove(access: Access, name: ObjectName) -> None:
    """Remove a lock. Raises UnknownError if there is none of that name."""
    with transaction.atomic():
        vault = sequence.lock(access.vault)
        lock = Lock.objects.filter(vault=vault, name=name.name).first()
        if lock is not None:
            client_runs.ended(lock, access.credential)
            _drop(vault, Lock.objects.filter(pk=lock.pk))
        else:
            client_runs.missed(access.credential, vault, name.name)
    if lock is None:
        raise UnknownError("There is no such lock.")


def of(vault: Vault) -> models.QuerySet[Lock]:
    """Return the vault's locks that have not outlived their day, oldest first."""
    born_after = clock.now() - settings.LOCK_LIFETIME
    return Lock.objects.filter(vault=vault, created_at__gt=born_after).order_by("created_at")


def listing(access: Access) -> list[tuple[str, int]]:
    """Return names and sizes (bytes) of the vault's locks, and note that they were asked for."""
    client_runs.listed_locks(access.credential)
    pairs = of(access.vault).annotate(size=Length("body")).values_list("name", "size")
    return list(pairs)


def drop_all(vault: Vault) -> int:
    """Remove every lock of a vault whose row is locked; return how many."""
    return _drop(vault, Lock.objects.filter(vault=vault))


def drop_stale(now: datetime) -> int:
    """Remove the locks that killed clients left a day ago; return how many."""
    dropped = 0
    for pk in _stale(now).order_by().values_list("vault", flat=True).distinct():
        with transaction.atomic():
            vault = sequence.lock(Vault.objects.get(pk=pk))
            dropped += _drop(vault, _stale(now).filter(vault=vault))
    client_runs.forget_ended(now)
    return dropped


def _stale(now: datetime) -> models.QuerySet[Lock]:
    return Lock.objects.filter(created_at__lte=now - settings.LOCK_LIFETIME)


def _drop(vault: Vault, rows: models.QuerySet[Lock]) -> int:
    """Delete locks of a vault whose row is locked; return how many."""
    gone = list(rows.annotate(size=Length("body")).values_list("pk", "size"))
    if not gone:
        return 0
    Lock.objects.filter(pk__in=[pk for pk, _ in gone]).delete()
    change = {
        "locks_held": F("locks_held") - len(gone),
        "lock_bytes": F("lock_bytes") - sum(size for _, size in gone),
    }
    Vault.objects.filter(pk=vault.pk).update(**change)
    Usage.objects.filter(account=vault.account_id).update(**change)
    return len(gone)


def _is_kept(vault: Vault, name: ObjectName) -> bool:
    return Lock.objects.filter(vault=vault, name=name.name).exists()


def _require_same(vault: Vault, name: ObjectName, whole: bytes) -> None:
    kept = Lock.objects.filter(vault=vault, name=name.name).first()
    if kept is not None and bytes(kept.body) != whole:
        raise ForbiddenError("There is another lock of this name.")


def _begin_anew(access: Access, name: ObjectName) -> None:
    """Restart a run whose lock is there already, since it reads the index again."""
    mine = Lock.objects.filter(vault=access.vault, name=name.name, credential=access.credential)
    mine.update(since=sequence.lock(access.vault).sequence, is_begun=True)
