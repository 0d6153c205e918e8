"""Places that accounts share: none takes more than it leaves for the others."""

import random
import threading

import pytest

from storage.api.upload_limiter import Admission, Limiter, requests, staying
from storage.errors import BusyError, CrowdedError


def gate(slots: int, *, patience: float = 0.0) -> Limiter:
    return Limiter(slots, patience=patience, refusal=BusyError("try again"))


def fill(slots: Limiter, account: int) -> int:
    """Take all that an account gets; return how many those are."""
    for taken in range(1000):
        try:
            slots.enter(account)
        except BusyError:
            return taken
    raise AssertionError("no bound")


@pytest.mark.parametrize("slots", [1, 2, 3, 10, 64, 241])
def test_one_account_leaves_half(slots: int) -> None:
    assert fill(gate(slots), 1) == (slots + 1) // 2


def test_a_newcomer_always_finds_a_place_while_few_are_greedy() -> None:
    """Whether they come one after the other, or mixed, or leave and come again."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    for _ in range(200):
        slots = gate(64)
        greedy = list(range(dice.randrange(1, 6)))
        for account in dice.choices(greedy, k=500):
            try:
                slots.enter(account)
            except BusyError:
                continue
            if dice.random() < 0.1:
                slots.leave(account)
        slots.enter(99)


def test_places_come_back() -> None:
    slots = gate(4)
    for _ in range(50):
        with slots.slot(1), slots.slot(1), pytest.raises(BusyError), slots.slot(1):
            pass
    assert fill(slots, 1) == 2


def test_a_place_that_gets_free_is_given_to_who_waits() -> None:
    slots = gate(2, patience=30.0)
    slots.enter(1)
    threading.Timer(0.05, slots.leave, [1]).start()
    slots.enter(1)  # well before the patience ends, or the test does


@pytest.mark.django_db  # an answer that ends looks after the connection
def test_a_stay_ends_with_the_answer_and_with_a_failure() -> None:
    from django.http import HttpResponse

    def answer(stay: Admission) -> HttpResponse:
        stay.begin(7)
        return HttpResponse()

    def fail(stay: Admission) -> HttpResponse:
        stay.begin(7)
        raise ZeroDivisionError

    response = staying(answer)
    assert requests.taken_by(7) == 1
    response.close()
    with pytest.raises(ZeroDivisionError):
        staying(fail)
    assert requests.taken_by(7) == 0


def test_what_is_crowded_out_is_busy_and_hangs_up() -> None:
    """Known clients repeat it; and its body is not waited for."""
    assert issubclass(CrowdedError, BusyError)
    assert (CrowdedError.status, CrowdedError.hangs_up, CrowdedError.retry_after) == (503, True, 5)
