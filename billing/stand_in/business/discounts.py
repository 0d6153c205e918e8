"""Coupons as they are used: found by the code that somebody types, and put on a subscription."""

from billing.stand_in.business.periods import month_after
from billing.stand_in.store import Object
from billing.stand_in.world import World


def by_code(world: World, code: str) -> Object | None:
    """Return the coupon that a typed code stands for, None for one that is not, or no longer."""
    wanted = code.strip().upper()
    for one in world.store.all("promotion_code"):
        if one["code"] != wanted or not one["active"] or _is_over(one["expires_at"], world.now):
            continue
        most = one["max_redemptions"]
        coupon = world.get(one["promotion"]["coupon"], "coupon")
        if most is not None and one["times_redeemed"] >= most:
            continue
        return coupon if is_valid(coupon, world.now) else None
    return None


def is_valid(coupon: Object, now: int) -> bool:
    """Return whether a coupon can still be used."""
    most = coupon["max_redemptions"]
    used_up = most is not None and coupon["times_redeemed"] >= most
    return not used_up and not _is_over(coupon["redeem_by"], now)


def use(world: World, coupon: Object, *, customer: str, code: str = "") -> Object:
    """Count a use of a coupon and return it as a discount that begins now."""
    coupon["times_redeemed"] += 1
    coupon["valid"] = is_valid(coupon, world.now)
    world.save(coupon)
    for one in world.store.all("promotion_code"):
        if code and one["code"] == code.strip().upper():
            world.save(one | {"times_redeemed": one["times_redeemed"] + 1})
    months = coupon["duration_in_months"] if coupon["duration"] == "repeating" else None
    made = world.make(
        "discount",
        customer=customer,
        start=world.now,
        end=month_after(world.now, months) if months else None,
        source={"type": "coupon", "coupon": coupon["id"]},
        subscription=None,
        _coupon=coupon,
    )
    return made


def _is_over(moment: int | None, now: int) -> bool:
    return moment is not None and moment <= now
