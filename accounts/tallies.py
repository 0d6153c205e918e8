"""Counts what happens, for metrics, without a write for each time.

A process adds up in memory and writes every few seconds, between requests. What it had not written
when it is killed is lost; figures that decide something are never kept here.
"""

import logging
import re
import threading
import time
from collections import Counter

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F

from accounts.models import Tally

log = logging.getLogger(__name__)
MOST_KINDS = 2000  # that are told apart; all others are counted as one
_STRANGE = re.compile(r"[^\w .:/<>+()?-]", re.ASCII)
REQUESTS, REFUSALS = "api_requests", "refusals"
SIGN_UPS, SIGN_IN_FAILURES = "sign_ups", "sign_in_failures"


class Tallies:
    """What a process has counted, and not written yet."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        self._since: float | None = None

    def count(self, name: str, times: int = 1, **labels: object) -> None:
        """Count something. Labels are words of ours, of which there are few."""
        text = ",".join(f'{key}="{_STRANGE.sub("", str(value))}"' for key, value in labels.items())
        with self._lock:
            known = (name, text) in self._counts or len(self._counts) < MOST_KINDS
            self._counts[name, text[:200] if known else 'kind="other"'] += times
            self._since = time.monotonic() if self._since is None else self._since

    def write_if_due(self) -> None:
        """Write what was counted, if that is some seconds ago. Never in a transaction."""
        since = self._since
        if since is not None and time.monotonic() - since >= settings.TALLIES_EVERY:
            self.write()

    def write(self) -> None:
        """Write what was counted; what cannot be written is counted on."""
        with self._lock:
            counts, self._counts, self._since = self._counts, Counter(), None
        for (name, labels), times in sorted(counts.items()):
            try:
                _add(name, labels, times)
            except Exception:  # no request breaks for a figure's sake
                log.exception("a figure could not be written")

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._counts, self._since = Counter(), None


def _add(name: str, labels: str, times: int) -> None:
    row = Tally.objects.filter(name=name, labels=labels)
    if row.update(count=F("count") + times):
        return
    try:
        with transaction.atomic():
            Tally.objects.create(name=name, labels=labels, count=times)
    except IntegrityError:  # another process was first
        row.update(count=F("count") + times)


tallies = Tallies()
