"""Writes rows of events: counted with their like, and bounded for each vault."""

from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F

from storage.models import VaultEvent

Kind = VaultEvent.Kind
# Of a vault. Hourly backups fill theirs in three months; what is refused comes again anyway.
MOST = {
    Kind.RUN: 2000,
    Kind.FAILED: 200,
    Kind.REFUSAL: 200,
    Kind.REMOVAL: 500,
    Kind.WIPE: 100,
    Kind.UNDELETE: 100,
}
PAGE = 100  # rows dropped at a time


def add(vault_id: int, kind: VaultEvent.Kind, at: datetime, **fields: Any) -> VaultEvent:
    """Insert an event, and drop the vault's oldest ones of its kind beyond their bound."""
    fields.setdefault("last_at", at)
    made = VaultEvent.objects.create(vault_id=vault_id, kind=kind, first_at=at, **fields)
    same_kind = VaultEvent.objects.filter(vault=vault_id, kind=kind).order_by("-pk")
    surplus = list(same_kind.values_list("pk", flat=True)[MOST[kind] : MOST[kind] + PAGE])
    if surplus:
        VaultEvent.objects.filter(pk__in=surplus).delete()
    return made


def count(
    vault_id: int, kind: VaultEvent.Kind, at: datetime, *, key: str, times: int = 1, **fields: Any
) -> None:
    """Count an event with the one of the same key, or insert it if it is the first."""
    if count_again(vault_id, key, at, times, fields):
        return
    try:
        with transaction.atomic():
            add(vault_id, kind, at, key=key, count=times, **fields)
    except IntegrityError:  # another process was first
        count_again(vault_id, key, at, times, fields)


def count_again(vault_id: int, key: str, at: datetime, times: int, fields: dict[str, Any]) -> bool:
    """Count an event with the one of the same key; return whether there is one."""
    same = VaultEvent.objects.filter(vault=vault_id, key=key)
    return bool(same.update(count=F("count") + times, last_at=at, **fields))
