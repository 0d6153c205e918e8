"""Uploads spooled packs to the service's store in batches, and has them committed.

A batch is announced in the same request that commits the one before. Packs whose way to the store
fails, or that the service wants otherwise, go through the service one by one. An index file goes
on record only after everything that was put in before it.
"""

import contextlib
import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from nightsafe.backend.base import Batching, BatchLimits, Named, ObjectKind
from nightsafe.backend.rest_responses import QUOTA_USED, said
from nightsafe.errors import QuotaError
from nightsafe.uploader.spool import Spool, SpooledObject

FIRST_BATCH = 64 << 20
_LEAST_BATCH = 16 << 20
_BATCH_SECONDS = 600.0
_AT_ONCE = 4
_TRIES = 3
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
_COMMITS = 8
_POLL_SECONDS = 0.2


class Uploader:
    """Sends what comes into `spool`, in a thread of its own, until it is closed."""

    def __init__(self, service: Batching, spool: Spool, batch: BatchLimits) -> None:
        self._service = service
        self._spool = spool
        self._most = batch
        self._want = min(FIRST_BATCH, spool.batch)
        self._sent: dict[str, SpooledObject] = {}
        self._late: list[SpooledObject] = []
        self._trouble: BaseException | None = None
        self._is_flushing = False
        self._has_ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="uploader", daemon=True)
        self._thread.start()

    def finish(self, snapshot: Named, *, unread: int, lock: str) -> None:
        """Send everything, then store the snapshot, which lacks what is at `unread` paths, and
        remove the lock, in one request."""
        self._flush()
        if self._late or len(self._sent) > self._most.objects:
            self.settle()
        attempts = list(self._sent)
        verdicts, is_done = self._service.conclude(
            snapshot, unread=unread, lock=lock, commit=attempts
        )
        self._judge(attempts, verdicts)
        if not is_done:
            self.settle()
            self._service.conclude(snapshot, unread=unread, lock=lock)

    def settle(self) -> None:
        """Send everything and wait until all of it is on record."""
        self._flush()
        pause = _FIRST_PAUSE
        for _ in range(_COMMITS):
            if not self._sent:
                break
            attempts = self._to_commit()
            self._judge(attempts, self._service.uploads([], commit=attempts)[0])
            if self._sent:
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        self._give_up_rest()
        late, self._late = self._late, []
        for item in late:
            self._save(item)

    def close(self) -> None:
        """Stop; what is not on record stays where it is."""
        with self._changed:
            self._has_ended = True
            self._changed.notify_all()
        self._thread.join()

    # In the thread

    def _run(self) -> None:
        try:
            while not self._has_ended:
                batch = self._next_batch()
                if batch:
                    self._deliver(batch)
                    continue
                with self._changed:
                    if self._is_flushing:
                        self._is_flushing = False
                        self._changed.notify_all()
                    self._changed.wait(_POLL_SECONDS)
        except BaseException as error:
            self._spool.note_trouble(error)
            with self._changed:
                self._trouble = error
                self._changed.notify_all()

    def _flush(self) -> None:
        """Wait until nothing that lies in the spool is still to be sent."""
        with self._changed:
            self._is_flushing = True
            self._changed.notify_all()
            while self._is_flushing and self._trouble is None:
                self._changed.wait()
            if self._trouble is not None:
                raise self._trouble

    def _next_batch(self) -> list[SpooledObject]:
        """What goes out next: enough for a batch, or whatever there is when it is the rest."""
        busy = {item.path for item in (*self._sent.values(), *self._late)}
        waiting = [item for item in self._spool.items() if item.path not in busy]
        if sum(item.size for item in waiting) < self._want and not self._is_flushing:
            return []
        batch: list[SpooledObject] = []
        room = min(max(self._want, _LEAST_BATCH), self._most.bytes)
        for item in waiting[: self._most.objects]:
            room -= item.size
            if batch and room < 0:
                break
            batch.append(item)
        return batch

    def _deliver(self, batch: Sequence[SpooledObject]) -> None:
        attempts = self._to_commit()
        objects = [(item.kind, item.name, item.size) for item in batch]
        verdicts, offers = self._service.uploads(objects, commit=attempts)
        self._judge(attempts, verdicts)
        self._require_room(offers)
        began = time.monotonic()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            ways = list(pool.map(self._send, batch, offers))
        seconds = max(time.monotonic() - began, 0.001)
        rate = sum(item.size for item in batch) / seconds
        self._want = int(min(self._spool.batch, max(_LEAST_BATCH, rate * _BATCH_SECONDS)))
        otherwise = []
        for item, offer, has_gone in zip(batch, offers, ways, strict=True):
            if has_gone and offer["status"] == "put":
                self._sent[str(offer["attempt"])] = item
            elif has_gone:
                self._done(item)
            else:
                otherwise.append((item, offer))
        self._go_otherwise(otherwise)

    def _require_room(self, offers: Sequence[dict[str, Any]]) -> None:
        """QuotaError if the plan has no room for the whole batch; nothing of it is held then."""
        full = [offer for offer in offers if offer.get("code") == "over-quota"]
        if full:
            begun = [str(offer["attempt"]) for offer in offers if "attempt" in offer]
            self._service.uploads([], give_up=begun)
            raise QuotaError(QUOTA_USED + said(str(full[0].get("message", ""))))

    def _send(self, item: SpooledObject, offer: dict[str, Any]) -> bool:
        """Whether the object is in the store, or was on record before."""
        match offer:
            case {"status": "there"}:
                return True
            case {"status": "put", "attempt": str(), "url": str(url), "headers": dict(headers)}:
                return self._put(item, url, headers)
        return False

    def _put(self, item: SpooledObject, url: str, headers: dict[str, str]) -> bool:
        pause = _FIRST_PAUSE
        for number in range(_TRIES):
            if number:
                time.sleep(pause)
                pause *= 2
            with open(item.path, "rb") as file:
                if self._service.send_direct(url, headers, file):
                    return True
        return False

    def _go_otherwise(self, items: Sequence[tuple[SpooledObject, dict[str, Any]]]) -> None:
        """Send through the service what could not go to the store."""
        begun = [str(offer["attempt"]) for _, offer in items if "attempt" in offer]
        if begun:  # their quota is wanted for the other way
            self._service.uploads([], give_up=begun)
        for item, _ in items:
            if item.kind is ObjectKind.DATA:
                self._save(item)
            else:
                self._late.append(item)

    # Verdicts

    def _to_commit(self) -> list[str]:
        """The oldest attempts, as many as the service takes at once."""
        return list(self._sent)[: self._most.objects]

    def _judge(self, attempts: Sequence[str], verdicts: Sequence[dict[str, Any]]) -> None:
        """Take off the list what is on record; what never will be goes another way."""
        again = []
        for attempt, verdict in zip(attempts, verdicts, strict=True):
            if verdict.get("status") == "stored":
                self._done(self._sent.pop(attempt))
            elif verdict.get("status") != "busy":
                again.append((self._sent.pop(attempt), {"attempt": attempt}))
        self._go_otherwise(again)

    def _give_up_rest(self) -> None:
        """Let what the service could not commit for a while go through it instead."""
        rest = [(item, {"attempt": attempt}) for attempt, item in self._sent.items()]
        self._sent = {}
        self._go_otherwise(rest)

    def _save(self, item: SpooledObject) -> None:
        with open(item.path, "rb") as file:
            data = file.read()
        self._service.save(item.kind, item.name, data)
        self._done(item)

    def _done(self, item: SpooledObject) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(item.path)
