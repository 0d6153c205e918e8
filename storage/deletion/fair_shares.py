"""Divides work fairly between accounts, so that a large backlog of one delays no other."""

import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

Work = TypeVar("Work")


def fair(
    accounts: Iterable[int], take: Callable[[int, int], Sequence[Work]], most: int
) -> Iterator[list[Work]]:
    """Yield batches of up to `most` pieces of work, in which every account has an equal share.

    `take` returns up to so many of an account's pieces; what one batch holds must be done, or be
    passed over by `take`, when the next is asked for. An account that has nothing left drops out.
    """
    order = list(accounts)
    random.shuffle(order)
    waiting = deque(order)
    while waiting:
        share = max(1, most // len(waiting))
        batch: list[Work] = []
        for _ in range(min(len(waiting), most)):
            account = waiting.popleft()
            found = take(account, share)
            batch += found
            if len(found) == share:
                waiting.append(account)
        if batch:
            yield batch
