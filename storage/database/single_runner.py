"""Lets a job run in one worker at a time, by a lease in the database."""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from django.db.models import Q

from backup_service import clock
from storage.models import Runner

LEASE = timedelta(minutes=10)  # after which whoever held it must have ended


RENEWED = 60.0  # seconds between two renewals, at least


@dataclass
class RunnerLease:
    """A job's lease: truthy if this worker has it."""

    name: str
    token: str
    is_mine: bool
    _renewed: float = field(default_factory=time.monotonic)

    def __bool__(self) -> bool:
        return self.is_mine

    def renew(self) -> None:
        """Extend the lease. Cheap to call often: it writes once a minute."""
        if self.is_mine and time.monotonic() - self._renewed >= RENEWED:
            self._renewed = time.monotonic()
            mine = Runner.objects.filter(name=self.name, token=self.token)
            mine.update(until=clock.now() + LEASE)


@contextmanager
def alone(name: str) -> Iterator[RunnerLease]:
    """Take a job's lease for a `with` block; yield a false one if another worker has it.

    A run that outlives its lease does no harm: every step of such work is conditional.
    """
    token, now = uuid.uuid4().hex, clock.now()
    Runner.objects.get_or_create(name=name)
    # A lease that ends later than any can was taken by a clock that was ahead.
    free = Q(until=None) | Q(until__lte=now) | Q(until__gt=now + LEASE)
    mine = Runner.objects.filter(free, name=name).update(token=token, until=now + LEASE)
    try:
        yield RunnerLease(name, token, bool(mine))
    finally:
        Runner.objects.filter(name=name, token=token).update(token="", until=None)
