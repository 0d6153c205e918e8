"""What happens by itself as time passes: renewals, further attempts, payment pages that close."""

from collections.abc import Iterator

from billing.stand_in.business import invoices, subscriptions
from billing.stand_in.store import Object
from billing.stand_in.world import World

INCOMPLETE = 23 * 3600  # seconds in which a first payment can be completed


def catch_up(world: World) -> int:
    """Let everything happen that is due by now, each at its own moment; return how much it was.

    So a clock that was moved by months gives the same as one that went there second by second.
    """
    done = 0
    while _step(world):
        done += 1
    return done


def _step(world: World) -> bool:
    with world.store.transaction():
        due = min(_due(world), key=lambda one: one[0], default=None)
        if due is None:
            return False
        moment, found = due
        with world.at(moment):
            _act(world, found)
        return True


def _due(world: World) -> Iterator[tuple[int, Object]]:
    now = world.now
    for sub in world.store.all("subscription"):
        if sub["status"] in subscriptions.GOING_ON:
            yield from _if_due(subscriptions.period_end(sub), sub, now)
        elif sub["status"] == "incomplete":
            yield from _if_due(sub["created"] + INCOMPLETE, sub, now)
    for invoice in world.store.all("invoice"):
        if invoice["status"] == "open" and invoice["next_payment_attempt"]:
            yield from _if_due(invoice["next_payment_attempt"], invoice, now)
    for session in world.store.all("checkout.session"):
        if session["status"] == "open":
            yield from _if_due(session["expires_at"], session, now)


def _if_due(moment: int, found: Object, now: int) -> Iterator[tuple[int, Object]]:
    if moment <= now:
        yield moment, found


def _act(world: World, found: Object) -> None:
    if found["object"] == "subscription" and found["status"] == "incomplete":
        subscriptions.expire(world, found)
    elif found["object"] == "subscription":
        subscriptions.renew(world, found)
    elif found["object"] == "invoice":
        sub = world.get(invoices.subscription_of(found), "subscription")
        subscriptions.collect(world, sub, found)
    else:
        world.save(found | {"status": "expired", "url": None})
        world.emit("checkout.session.expired", found | {"status": "expired", "url": None})
