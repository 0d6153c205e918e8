"""The backend of a running backup: what it saves is spooled, and uploaded in batches."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from nightsafe.backend.base import Backend, Batching, Listing, Named, ObjectKind
from nightsafe.errors import StorageError
from nightsafe.uploader.spool import Spool
from nightsafe.uploader.uploader import Uploader


@contextlib.contextmanager
def spooled(service: Batching, above: str) -> Iterator[Backend]:
    """Have what is saved go through a spool below the folder `above`, for a `with` block.

    The spool's folder stays if the block fails, and the next backup takes it up. Without room for
    one it is the service itself.
    """
    spool = Spool.begin(above, batch=service.batch_limits.bytes)
    if spool is None:
        yield service
        return
    storage = SpooledBackend(service, spool)
    try:
        storage.take_up()  # of a backup that was killed; its journal comes next
        yield storage
        spool.clear()
    finally:
        storage.end()
        spool.leave()


class SpooledBackend(Backend):
    """A vault of the service for the length of a backup; everything but packs goes straight there.

    Every worker has one, with connections of its own; the main process's also has the uploader.
    """

    def __init__(self, service: Batching, spool: Spool) -> None:
        self._service = service
        self._spool = spool
        self._uploader: Uploader | None = Uploader(service, spool, service.batch_limits)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_uploader": None}

    def take_up(self) -> None:
        """Upload what a killed backup left in the spool."""
        if self._uploader is not None and self._spool.items():
            self._uploader.settle()

    def end(self) -> None:
        """Stop uploading; what is not on record stays in the spool."""
        if self._uploader is not None:
            self._uploader.close()

    def save(self, kind: ObjectKind, name: str, data: bytes | memoryview) -> None:
        """Put packs and index files into the spool; what cannot lie there is sent at once."""
        if kind in (ObjectKind.DATA, ObjectKind.INDEX):
            try:
                self._spool.put(kind, name, data)
            except OSError:
                if kind is ObjectKind.INDEX:
                    raise StorageError(
                        "The disk with this computer's caches is full or failing, and the backup "
                        "needs a little of it. Make room, or set NIGHTSAFE_CACHE_DIR."
                    ) from None
            else:
                return
        self._service.save(kind, name, data)

    def finish(self, snapshot: Named, *, unread: int, lock: str = "") -> bool:
        if self._uploader is None:
            raise TypeError("A worker does not finish a backup.")
        if len(snapshot[1]) > self._service.largest_snapshot:
            self._uploader.settle()
            return self._service.finish(snapshot, unread=unread, lock=lock)
        self._uploader.finish(snapshot, unread=unread, lock=lock)
        return True

    # The service's

    @property
    def location(self) -> str:
        return self._service.location

    @property
    def epoch(self) -> int:
        return self._service.epoch

    @property
    def lost_packs(self) -> frozenset[str]:
        return self._service.lost_packs

    @property
    def reports_locks(self) -> bool:
        return self._service.reports_locks

    def begin(self, lock: Named) -> Sequence[Named]:
        return self._service.begin(lock)

    def will_read(self, packs: Sequence[str]) -> None:
        self._service.will_read(packs)

    def create(self) -> None:
        self._service.create()

    def list(self, kind: ObjectKind) -> Iterator[Listing]:
        return self._service.list(kind)

    def size(self, kind: ObjectKind, name: str) -> int:
        return self._service.size(kind, name)

    def load(
        self, kind: ObjectKind, name: str, *, offset: int = 0, length: int | None = None
    ) -> bytes:
        return self._service.load(kind, name, offset=offset, length=length)

    def remove(self, kind: ObjectKind, name: str) -> None:
        self._service.remove(kind, name)

    def fresh(self) -> "SpooledBackend":
        other = object.__new__(SpooledBackend)
        other._service, other._spool, other._uploader = self._service.fresh(), self._spool, None
        return other

    def close(self) -> None:
        self._service.close()
