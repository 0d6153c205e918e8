"""Changes of a subscription that wait for the end of its period."""

from billing.stand_in.store import Object
from billing.stand_in.world import World


def plan(world: World, sub: Object, price: Object) -> Object:
    """Have a subscription change to another price with its next period."""
    release(world, sub)
    item = sub["items"]["data"][0]
    start, end = item["current_period_start"], item["current_period_end"]
    made = world.make(
        "subscription_schedule",
        customer=sub["customer"],
        subscription=sub["id"],
        canceled_at=None,
        completed_at=None,
        current_phase={"start_date": start, "end_date": end},
        end_behavior="release",
        phases=[_phase(item["price"], start, end), _phase(price, end, end)],
        released_at=None,
        released_subscription=None,
        status="active",
    )
    world.save(made)
    world.emit("subscription_schedule.created", made)
    sub["schedule"] = made["id"]
    return made


def release(world: World, sub: Object) -> None:
    """Forget a change that was planned, if there is one."""
    if sub["schedule"] is None:
        return
    found = world.get(sub["schedule"], "subscription_schedule")
    found |= {
        "status": "released",
        "released_at": world.now,
        "released_subscription": sub["id"],
        "subscription": None,
        "current_phase": None,
    }
    world.save(found)
    world.emit("subscription_schedule.released", found)
    sub["schedule"] = None


def carry_out(world: World, sub: Object) -> None:
    """Make a change that was planned for now, if there is one."""
    if sub["schedule"] is None:
        return
    found = world.get(sub["schedule"], "subscription_schedule")
    item = sub["items"]["data"][0]
    before = item["price"]["recurring"]["interval"]
    item["price"] = world.get(found["phases"][-1]["items"][0]["price"], "price")
    if item["price"]["recurring"]["interval"] != before:
        sub["billing_cycle_anchor"] = item["current_period_end"]
    release(world, sub)


def _phase(price: Object, start: int, end: int) -> Object:
    one = {"price": price["id"], "quantity": 1, "discounts": [], "metadata": {}}
    return {
        "start_date": start,
        "end_date": end,
        "items": [one],
        "currency": "usd",
        "discounts": [],
        "metadata": {},
        "proration_behavior": "none",
        "add_invoice_items": [],
    }
