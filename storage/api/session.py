"""Backup sessions: one request to begin and one to finish.

begin: puts the lock and, under the vault's row lock, reads the others': of two that begin at
the same time one sees the other. finish: what is left of direct transfers is committed, the
snapshot is stored by the same rules as any other, and the lock goes.
"""

import base64
import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.db import models, transaction

from storage import object_sizes
from storage.api.json_answer import Json
from storage.body import HashedBody, HashMismatchError
from storage.database.connections import lend_connection
from storage.deletion import tombstones
from storage.downloads import listings, read
from storage.errors import RefusedError, UnknownError
from storage.events import runs
from storage.models import StoredObject, Vault
from storage.object_names import KIB, ObjectName, ObjectType
from storage.objects import batch
from storage.objects.batch import ItemResult, ItemStatus
from storage.uploads import ingest, presigned
from storage.vaults import index_freshness, locks, sequence
from storage.vaults.access import Access

MOST_LISTED = 20_000  # objects of a type in one answer
MOST_BODIES = 16  # snapshots whose bodies come along
SMALL = 64 * KIB  # bytes of a body that may come along
MOST_WANTED = 1000  # lost objects

Named = tuple[ObjectName, bytes]
Answer = dict[str, Any]


@dataclass(frozen=True)
class Since:
    """What the caller knew when its last session began."""

    epoch: int
    sequence: int


def begin(access: Access, *, lock: Named | None, since: Since | None) -> Answer:
    """Put the caller's lock, and return what the vault holds; note that the caller saw the index.

    Raises HashMismatchError, TooLargeError or TooShortError about the lock, or ForbiddenError.
    """
    access.require_read()
    vault, held_locks = _lock(access, lock)
    if since is not None and (since.epoch != vault.epoch or since.sequence > vault.sequence):
        since = None
    answer: Answer = {
        "epoch": vault.epoch,
        "sequence": vault.sequence,
        "locks": held_locks,
        "keys": _listing(vault, ObjectType.KEY, None),
        "snapshots": _listing(vault, ObjectType.SNAPSHOT, None),
        "index": _listing(vault, ObjectType.INDEX, since),
        "wanted": _wanted(vault),
        "direct": _direct(access),
    }
    index_freshness.saw_index(access.credential, vault.sequence)
    lend_connection()
    new = _live(vault, ObjectType.SNAPSHOT).filter(sequence__gt=since.sequence if since else -1)
    small = list(new.filter(size__lte=SMALL).order_by("-sequence")[:MOST_BODIES])
    answer["bodies"] = list(_bodies(access, small))
    if lock is None:  # who has sealed a lock has the keys
        fixed = [*_live(vault, ObjectType.CONFIG), *_live(vault, ObjectType.KEY)]
        answer["bodies"] += _bodies(access, fixed)
    return answer


def finish(
    access: Access,
    *,
    attempts: Sequence[str],
    snapshot: Named | None,
    lock: ObjectName | None,
    unread: int | None = None,
) -> tuple[list[ItemResult], bool]:
    """Commit transfers, store the snapshot if all of them are on record, and remove the lock.

    `unread` paths could not be read, and are not or not wholly in the snapshot; None if that is
    not known.

    Returns the results, and whether it went to its end; if not, snapshot and lock are as before.
    Raises what `ingest.deposit` raises.
    """
    results = presigned.commit(access, attempts) if attempts else []
    if any(one.status is not ItemStatus.STORED for one in results):
        return results, False
    if snapshot is not None:
        name, body = snapshot
        source = HashedBody(io.BytesIO(body), size=len(body), sha256=name.expected_sha256)
        ingest.deposit(access, name, source, lock=lock.name if lock else "")
        if unread is not None:
            _note_unread(access.vault, name, unread)
    if lock is not None:
        with suppress(UnknownError):
            tombstones.remove(access, lock)
    return results, True


def _note_unread(vault: Vault, name: ObjectName, unread: int) -> None:
    """Record the number with the vault, if the snapshot is its latest."""
    came = StoredObject.objects.named(vault, name)
    Vault.objects.filter(pk=vault.pk, last_snapshot_at__in=came.values("created_at")).update(
        last_unread=unread
    )
    runs.note_unread(vault, name.name, unread)


@transaction.atomic
def _lock(access: Access, lock: Named | None) -> tuple[Vault, list[Answer]]:
    """Put the lock; return the vault as it is then, and the others' locks."""
    vault = sequence.lock(access.vault)
    if lock is not None:
        _require_whole(*lock)
        locks.keep(access, *lock, is_begun=True)
    mine = lock[0].name if lock else ""
    others = locks.of(vault).exclude(name=mine)
    return vault, [{"name": one.name, "body": _text(bytes(one.body))} for one in others]


def _require_whole(name: ObjectName, body: bytes) -> None:
    object_sizes.require_sound(name, len(body))
    if hashlib.sha256(body).hexdigest() != name.name:
        raise HashMismatchError("The lock's bytes do not have the hash that its name says.")


def _live(vault: Vault, kind: ObjectType) -> models.QuerySet[StoredObject]:
    return StoredObject.objects.live().filter(vault=vault, type=kind)


def _listing(vault: Vault, kind: ObjectType, since: Since | None) -> Json:
    """Return names and sizes, of objects added after `since` if it is given.

    Too many are left out, all of them, and listed by the data protocol instead.
    """
    objects = _live(vault, kind).order_by("sequence")
    if since is not None:
        objects = objects.filter(sequence__gt=since.sequence)
    pairs = objects.values_list("name", "size")[: MOST_LISTED + 1]
    if len(pairs) > MOST_LISTED:
        return Json('{"complete": false, "since": null, "objects": []}')
    narrowed = json.dumps(since and since.sequence)
    return Json(f'{{"complete": true, "since": {narrowed}, "objects": {listings.text_of(pairs)}}}')


def _wanted(vault: Vault) -> list[Answer]:
    lost = StoredObject.objects.lost().filter(vault=vault)
    listed = lost.order_by("sequence").values_list("type", "name", "size")[:MOST_WANTED]
    return [{"type": kind, "name": name, "size": size} for kind, name, size in listed]


def _direct(access: Access) -> Answer:
    is_open = presigned.home(access) is not None
    return {"uploads": is_open, "objects": batch.MAX_OBJECTS, "bytes": batch.MAX_BYTES}


def _bodies(access: Access, objects: Sequence[StoredObject]) -> Iterator[Answer]:
    """Yield bodies of small objects; one that cannot be read now is left out."""
    for one in objects:
        with suppress(RefusedError, read.CutShortError):
            out = read.fetch(one, None, reader=access.credential.prefix)
            body = b"".join(out.chunks)
            yield {"type": one.type, "name": one.name, "body": _text(body)}


def _text(body: bytes) -> str:
    return base64.b64encode(body).decode("ascii")
