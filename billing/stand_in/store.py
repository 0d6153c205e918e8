"""Everything that the stand-in knows, in one SQLite file, so that a restart forgets nothing."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Object = dict[str, Any]
_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, kind TEXT NOT NULL,
    customer TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS objects_of_kind ON objects (kind, customer, seq);
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, request TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL,
    at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (
    event TEXT PRIMARY KEY, attempt INTEGER NOT NULL, next_at INTEGER NOT NULL);
"""


@dataclass(frozen=True)
class Answer:
    """What was answered to a request with an idempotency key, and a fingerprint of that."""

    request: str
    status: int
    body: str
    at: int


class Store:
    """Objects by id, answers by idempotency key, events to deliver. One writer at a time."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do all of a `with` block or nothing, one thread after the other; may be nested."""
        with self._lock:
            if self._depth:
                yield
                return
            self._database.execute("BEGIN IMMEDIATE")
            self._depth = 1
            try:
                yield
                self._database.execute("COMMIT")
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            finally:
                self._depth = 0

    def get(self, name: str) -> Object | None:
        """Return an object by its id."""
        row = self._one("SELECT body FROM objects WHERE id = ?", name)
        return json.loads(row[0]) if row else None

    def put(self, found: Object) -> Object:
        """Add an object or write it anew."""
        with self._lock:
            self._database.execute(
                "INSERT INTO objects (id, kind, customer, body) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (id) DO UPDATE SET body = excluded.body, customer = excluded.customer",
                (
                    found["id"],
                    found["object"],
                    found.get("customer") or "",
                    json.dumps(found, sort_keys=True),
                ),
            )
        return found

    def all(self, kind: str, *, customer: str = "") -> list[Object]:
        """Return all objects of a kind, the newest first."""
        query = "SELECT body FROM objects WHERE kind = ? AND (? = '' OR customer = ?)"
        with self._lock:
            rows = self._database.execute(
                f"{query} ORDER BY seq DESC", (kind, customer, customer)
            ).fetchall()
        return [json.loads(row[0]) for row in rows]

    def answered(self, key: str) -> Answer | None:
        """Return what was answered under an idempotency key."""
        row = self._one("SELECT request, status, body, at FROM answers WHERE key = ?", key)
        return Answer(*row) if row else None

    def remember(self, key: str, answer: Answer) -> None:
        """Keep an answer under its idempotency key."""
        with self._lock:
            self._database.execute(
                "INSERT OR REPLACE INTO answers (key, request, status, body, at) "
                "VALUES (?, ?, ?, ?, ?)",
                (key, answer.request, answer.status, answer.body, answer.at),
            )

    def schedule(self, event: str, *, attempt: int, next_at: int) -> None:
        """Have an event delivered at a moment."""
        with self._lock:
            self._database.execute(
                "INSERT OR REPLACE INTO deliveries (event, attempt, next_at) VALUES (?, ?, ?)",
                (event, attempt, next_at),
            )

    def due(self, now: int) -> list[tuple[str, int]]:
        """Return events to deliver, with how often that was tried."""
        with self._lock:
            return self._database.execute(
                "SELECT event, attempt FROM deliveries WHERE next_at <= ? ORDER BY rowid LIMIT 50",
                (now,),
            ).fetchall()

    def settle(self, event: str) -> None:
        """Deliver an event no more."""
        with self._lock:
            self._database.execute("DELETE FROM deliveries WHERE event = ?", (event,))

    def _one(self, query: str, value: str) -> Any:
        with self._lock:
            return self._database.execute(query, (value,)).fetchone()
