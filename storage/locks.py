"""Locks: rows of the database, accepted in every state of account and vault."""

from datetime import datetime

from django.conf import settings
from django.db import IntegrityError, models, transaction

from backup_service import clock
from storage.access import Access
from storage.body import Body, WrongBytesError
from storage.errors import BusyError, UnknownError
from storage.models import Lock, Vault
from storage.names import ObjectName

MOST_LOCKS = 1000  # a vault's; far beyond any honest use


def put(access: Access, name: ObjectName, body: Body) -> None:
    """Keep a lock. The same one twice is fine; other bytes under its name are refused."""
    pieces = []
    while piece := body.read(body.size):
        pieces.append(piece)
    keep(access, name, b"".join(pieces))


def keep(access: Access, name: ObjectName, whole: bytes) -> None:
    """Keep a lock whose bytes have the hash that its name says."""
    if of(access.vault).count() >= MOST_LOCKS:
        raise BusyError("This vault has too many locks; run `unlock` and try again.")
    try:
        with transaction.atomic():
            Lock.objects.create(
                vault=access.vault, name=name.name, body=whole, credential=access.credential
            )
    except IntegrityError:
        _require_same(access.vault, name, whole)


def get(vault: Vault, name: ObjectName) -> bytes:
    """Return a lock's bytes. Raises UnknownError."""
    lock = of(vault).filter(name=name.name).first()
    if lock is None:
        raise UnknownError("There is no such lock.")
    return bytes(lock.body)


def remove(vault: Vault, name: ObjectName) -> None:
    """Take a lock away. Raises UnknownError if there is none of that name."""
    deleted, _ = Lock.objects.filter(vault=vault, name=name.name).delete()
    if not deleted:
        raise UnknownError("There is no such lock.")


def of(vault: Vault) -> models.QuerySet[Lock]:
    """Return the vault's locks that have not outlived their day, oldest first."""
    born_after = clock.now() - settings.LOCK_LIFETIME
    return Lock.objects.filter(vault=vault, created_at__gt=born_after).order_by("created_at")


def drop_stale(now: datetime) -> int:
    """Remove the locks that killed clients left a day ago; return how many."""
    deleted, _ = Lock.objects.filter(created_at__lte=now - settings.LOCK_LIFETIME).delete()
    return deleted


def _require_same(vault: Vault, name: ObjectName, whole: bytes) -> None:
    kept = Lock.objects.filter(vault=vault, name=name.name).first()
    if kept is not None and bytes(kept.body) != whole:
        raise WrongBytesError("There is another lock of this name.")
