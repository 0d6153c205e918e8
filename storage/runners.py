"""One at a time: work that two workers would only do in each other's way."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db.models import Q

from backup_service import clock
from storage.models import Runner

LEASE = timedelta(minutes=10)  # after which whoever held it must have ended


@contextmanager
def alone(name: str) -> Iterator[bool]:
    """Hold a kind of work for the length of a `with` block; yield whether nobody else has it.

    A turn that outlives its lease does no harm: every step of such work is conditional.
    """
    token, now = uuid.uuid4().hex, clock.now()
    Runner.objects.get_or_create(name=name)
    # A lease that ends later than any can was taken by a clock that was ahead.
    free = Q(until=None) | Q(until__lte=now) | Q(until__gt=now + LEASE)
    mine = Runner.objects.filter(free, name=name).update(token=token, until=now + LEASE)
    try:
        yield bool(mine)
    finally:
        Runner.objects.filter(name=name, token=token).update(token="", until=None)
