"""Limits the concurrent requests and uploads of a gateway process, in all and per account.

Whatever number of slots an account takes, it leaves as many for everybody else. So beside one busy
account half of the slots stay free, beside two at least a quarter, and no slot lies idle that
somebody could use.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.conf import settings
from django.http import HttpResponseBase

from storage.errors import BusyError, CrowdedError

PATIENCE = 10.0  # seconds that an upload waits for its slot


class Limiter:
    """A number of slots. An account gets another one while it has fewer than are free."""

    def __init__(self, slots: int, *, patience: float, refusal: BusyError) -> None:
        self._free = slots
        self._patience = patience  # seconds
        self._refusal = refusal
        self._taken: Counter[int] = Counter()
        self._changed = threading.Condition()

    def enter(self, account: int) -> None:
        """Take a slot; `leave` gives it back. Raises BusyError if none gets free in time."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._may_enter(account), self._patience):
                raise type(self._refusal)(*self._refusal.args)
            self._free -= 1
            self._taken[account] += 1

    def leave(self, account: int) -> None:
        """Give a slot back."""
        with self._changed:
            self._free += 1
            self._taken[account] -= 1
            if not self._taken[account]:
                del self._taken[account]
            self._changed.notify_all()

    def taken_by(self, account: int) -> int:
        """Return how many slots an account has."""
        with self._changed:
            return self._taken[account]

    @contextmanager
    def slot(self, account: int) -> Iterator[None]:
        """Keep a slot for the length of a `with` block. Raises BusyError."""
        self.enter(account)
        try:
            yield
        finally:
            self.leave(account)

    def _may_enter(self, account: int) -> bool:
        return self._taken[account] < self._free


requests = Limiter(
    settings.GATEWAY_REQUESTS,
    patience=0.0,
    refusal=CrowdedError("This account has too much under way at once; try again shortly."),
)
uploads = Limiter(
    settings.GATEWAY_UPLOADS,
    patience=PATIENCE,
    refusal=BusyError("The service takes no more uploads at this moment; try again shortly."),
)


class Admission:
    """One request's slot, from when its account is known to the very end."""

    def __init__(self) -> None:
        self._account: int | None = None

    def begin(self, account: int) -> None:
        """Take the slot. Raises CrowdedError."""
        requests.enter(account)
        self._account = account

    def end(self) -> None:
        """Give it back, if it was taken; to be called when the answer is closed, or failed."""
        if self._account is not None:
            account, self._account = self._account, None
            requests.leave(account)


def staying(answer: Callable[[Admission], HttpResponseBase]) -> HttpResponseBase:
    """Return the answer to a request, which keeps its slot until the client has it or is gone."""
    stay = Admission()
    try:
        response = answer(stay)
    except BaseException:
        stay.end()
        raise
    closers = response._resource_closers  # type: ignore[attr-defined]  # noqa: SLF001, as for files
    closers.append(stay.end)
    return response
