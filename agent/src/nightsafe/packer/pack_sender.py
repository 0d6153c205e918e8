"""Uploads finished packs in threads while the next ones are filled."""

import hashlib
import queue
import threading
from typing import NamedTuple

from nightsafe.backend.base import Backend, ObjectKind
from nightsafe.crypto.sealer import Sealer
from nightsafe.errors import StorageError
from nightsafe.packer.journal import Journal
from nightsafe.packer.pack_builder import FinishedPack

_POLL_SECONDS = 1.0


class SentPack(NamedTuple):
    """What is known of a pack that the storage has: its id, its opened header, its bytes."""

    id: bytes
    header: bytes
    size: int


class PackSender:
    """Sends packs in threads of its own, at most one in each thread.

    Who adds a pack while all are busy waits: that bounds the memory. An error of a thread
    is raised by the next call.
    """

    def __init__(
        self,
        storage: Backend,
        sealer: Sealer,
        *,
        threads: int,
        journal: Journal | None,
        dry_run: bool = False,
    ) -> None:
        self._storage = storage
        self._sealer = sealer
        self._journal = journal
        self._dry_run = dry_run
        self._slots = threading.Semaphore(threads)
        self._waiting: queue.SimpleQueue[FinishedPack | None] = queue.SimpleQueue()
        self._count = threads
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._sent: list[SentPack] = []
        self._trouble: BaseException | None = None

    def send(self, pack: FinishedPack) -> None:
        """Hand a pack over; waits for a free thread."""
        while not self._slots.acquire(timeout=_POLL_SECONDS):
            self._raise_trouble()
        self._raise_trouble()
        if len(self._threads) < self._count:
            thread = threading.Thread(target=self._work, name="sender", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._waiting.put(pack)

    def sent(self) -> list[SentPack]:
        """The packs that arrived since this was last asked."""
        self._raise_trouble()
        with self._lock:
            sent, self._sent = self._sent, []
        return sent

    def finish(self) -> list[SentPack]:
        """Wait until everything has arrived; returns as `sent` does."""
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join()
        self._threads = []
        return self.sent()

    def _raise_trouble(self) -> None:
        if self._trouble is None:
            return
        if isinstance(self._trouble, OSError):
            # As one of the system it would be taken for an error of the file that is being read.
            text = f"What was backed up cannot be stored: {self._trouble}."
            raise StorageError(text) from self._trouble
        raise self._trouble

    def _work(self) -> None:
        while (pack := self._waiting.get()) is not None:
            try:
                if self._trouble is None:
                    self._send(pack)
            except BaseException as error:
                self._trouble = error
            finally:
                pack.release()
                pack = None
                self._slots.release()

    def _send(self, pack: FinishedPack) -> None:
        pack_id = hashlib.sha256(pack.data).digest()
        if not self._dry_run:
            with self._lock:  # the sealer is shared
                if self._journal is not None:
                    self._journal.note(pack_id, pack.header, self._sealer)
            self._storage.save(ObjectKind.DATA, pack_id.hex(), pack.data)
        with self._lock:
            self._sent.append(SentPack(pack_id, pack.header, len(pack.data)))
