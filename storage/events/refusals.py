"""Notes refusals: what any client, stock restic too, was denied in a vault, and why.

Clients repeat what was refused, by the dozen. So equal refusals of an hour are one row with a
count, and a process writes to it every few seconds at most; what it counted meanwhile is written
with the next one, or when another request is answered. A note is written after the refusal, in no
transaction of its own request, and if it cannot be written the answer is as it would have been.
"""

import logging
import threading
import time
from dataclasses import dataclass
from http import HTTPStatus

from django.db import transaction

from accounts.models import Account
from accounts.tallies import REFUSALS, tallies
from backup_service import clock
from storage.events import failures, rows
from storage.models import Credential, Vault, VaultEvent

log = logging.getLogger(__name__)
SPACING = 5.0  # seconds between two writes about equal refusals
MOST_TALLIES = 5000  # kinds of refusals that a process remembers
LONGEST = 500  # characters of a text
# What passes, or says no more than that something is not there.
NO_VERDICT = {
    HTTPStatus.NOT_FOUND,
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
}


@dataclass(frozen=True)
class Refusal:
    """A request that was refused with an HTTP `status`.

    `code` is for programs, `text` for people. `stops_backups`: with the same answer to its next
    request a backup by this credential would fail.
    """

    vault: int  # primary key
    credential: Credential
    status: int
    code: str
    text: str
    stops_backups: bool = False

    @property
    def key(self) -> str:
        """What equal refusals have in common."""
        return f"{self.credential.pk}:{self.status}:{self.code}"


@dataclass
class _Tally:
    refusal: Refusal
    count: int = 0
    written: float | None = None  # monotonic seconds

    def is_due(self, now: float) -> bool:
        """Return whether there is something to write, and nothing was written a moment ago."""
        return self.count > 0 and (self.written is None or now - self.written >= SPACING)


class RefusalLog:
    """What a process has counted, and not written yet."""

    def __init__(self) -> None:
        self._tallies: dict[tuple[int, str, bool], _Tally] = {}
        self._lock = threading.Lock()
        self._waiting = 0

    def note(self, refusal: Refusal) -> None:
        """Count a refusal; write it down unless an equal one was written a moment ago."""
        with self._lock:
            key = refusal.vault, refusal.key, refusal.stops_backups
            tally = self._tallies.setdefault(key, _Tally(refusal))
            tally.refusal = refusal
            tally.count += 1
            self._waiting += 1
        self.flush()

    def flush(self) -> None:
        """Write what waits and is due. Cheap if nothing is."""
        if not self._waiting:
            return
        for refusal, count in self._due():
            try:
                write(refusal, count)
            except Exception:  # the answer is as it would have been
                log.exception("a refusal could not be noted")

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._tallies.clear()
            self._waiting = 0

    def _due(self) -> list[tuple[Refusal, int]]:
        now = time.monotonic()
        with self._lock:
            due = [one for one in self._tallies.values() if one.is_due(now)]
            taken = [(one.refusal, one.count) for one in due]
            for one in due:
                one.count, one.written = 0, now
            self._waiting -= sum(count for _, count in taken)
            if len(self._tallies) > MOST_TALLIES:
                for key in [k for k, one in self._tallies.items() if not one.count]:
                    del self._tallies[key]
        return taken


def write(refusal: Refusal, count: int) -> None:
    """Write down equal refusals, and log them in one line."""
    now = clock.now()
    vault, credential = refusal.vault, refusal.credential
    text = refusal.text.replace("\x00", "")[:LONGEST].encode("utf-8", "replace").decode()
    tallies.count(REFUSALS, count, cause=refusal.code, status=refusal.status)
    log.warning("refused", extra={"facts": _facts(refusal, count)})
    with transaction.atomic():
        rows.count(
            vault,
            VaultEvent.Kind.REFUSAL,
            now,
            key=f"{refusal.key}:{now:%Y-%m-%dT%H}",
            times=count,
            credential=credential,
            status=refusal.status,
            code=refusal.code,
            text=text,
        )
        if refusal.stops_backups and _is_of_consequence(vault, credential):
            Vault.objects.filter(pk=vault).update(
                refused_at=now, refused_status=refusal.status, refused_text=text
            )
            failures.tell(vault, now, kind=failures.REFUSED, code=refusal.code, text=text)


def _facts(refusal: Refusal, count: int) -> dict[str, object]:
    vault = refusal.credential.vault
    return {
        "account": vault.account.public_id,
        "vault": vault.public_id,
        "credential": refusal.credential.prefix,
        "status": refusal.status,
        "cause": refusal.code,
        "count": count,
        "text": refusal.text[:LONGEST],
    }


def _is_of_consequence(vault: int, credential: Credential) -> bool:
    """Return whether the vault's backups come by this credential, as far as is known.

    None are to come into one that is to go or whose account is closed, and what was refused for
    that would still be said when it is kept or opened. One that only restores makes none, and one
    that was revoked is missed only where it made the last one.
    """
    expecting = Vault.objects.filter(pk=vault, closed_at=None, deletion_asked_at=None)
    is_open = expecting.exclude(account__state__in=Account.CLOSED).exists()
    if credential.scope == Credential.Scope.RESTORE or not is_open:
        return False
    if credential.revoked_at is None:
        return True
    runs = VaultEvent.objects.filter(vault=vault, kind=VaultEvent.Kind.RUN).order_by("-pk")
    return runs.values_list("credential", flat=True).first() == credential.pk


refusals = RefusalLog()
