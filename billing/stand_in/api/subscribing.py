"""Subscriptions and their schedules, made and changed by a program."""

from typing import Any

from billing.stand_in.api.customers import merged
from billing.stand_in.business import discounts, payments, schedules, subscriptions
from billing.stand_in.errors import ApiError
from billing.stand_in.params import Params
from billing.stand_in.store import Object
from billing.stand_in.world import World


def create(world: World, params: Params) -> Object:
    """Begin a subscription; the first invoice is tried at once."""
    customer = world.get(params.required("customer"), "customer")
    price = _one_price(world, params.sequence("items"))
    behaviour = params.text("payment_behavior", "allow_incomplete")
    chosen = params.text("default_payment_method")
    used = [_coupon(world, one, customer) for one in params.sequence("discounts")]
    tax = params.mapping("automatic_tax").get("enabled") == "true"
    metadata = merged({}, params.mapping("metadata"))
    sub = subscriptions.draft(world, customer, price, metadata=metadata, discounts=used, tax=tax)
    if chosen:
        method = payments.attach(world, payments.method_of(world, chosen), customer)
        sub["default_payment_method"] = method["id"]
    sub, went = subscriptions.begin(world, sub, subscriptions.method_for(world, sub))
    if behaviour == "error_if_incomplete" and went.status != "paid":
        raise ApiError(went.sentence, status=402, kind="card_error", code="card_declined")
    return sub


def update(world: World, params: Params, name: str) -> Object:
    """Change the price, or whether it ends with its period."""
    sub = _going_on(world, name)
    sub["metadata"] = merged(sub["metadata"], params.mapping("metadata"))
    if "default_payment_method" in params:
        sub["default_payment_method"] = params.text("default_payment_method") or None
    details = params.mapping("cancellation_details")
    prorates = params.text("proration_behavior", "create_prorations") != "none"
    world.save(sub)
    if params.sequence("items"):
        price = _one_price(world, params.sequence("items"))
        went = subscriptions.change_price(world, sub, price, prorate=prorates)
        if went.status != "paid":
            code = {"status": 402, "kind": "card_error", "code": "card_declined"}
            raise ApiError(went.sentence, keeps=True, **code)  # type: ignore[arg-type]
    if "cancel_at_period_end" in params:
        _cancel_later(world, sub, params.boolean("cancel_at_period_end"), details)
    else:
        subscriptions.changed(world, sub)
    return world.get(name, "subscription")


def cancel(world: World, params: Params, name: str) -> Object:
    """End a subscription now."""
    sub = _going_on(world, name, also=("incomplete",))
    details = params.mapping("cancellation_details")
    params.boolean("invoice_now")
    params.boolean("prorate")
    subscriptions.end(
        world, sub, feedback=details.get("feedback", ""), comment=details.get("comment", "")
    )
    return world.get(name, "subscription")


def release_schedule(world: World, params: Params, name: str) -> Object:
    """Take a planned change back."""
    found = world.get(name, "subscription_schedule")
    if found["status"] == "active":
        sub = world.get(found["subscription"], "subscription")
        schedules.release(world, sub)
        subscriptions.changed(world, sub)
    return world.get(name, "subscription_schedule")


def _cancel_later(world: World, sub: Object, wanted: bool, details: dict[str, Any]) -> None:
    if not wanted:
        subscriptions.go_on(world, sub)
        return
    feedback, comment = details.get("feedback", ""), details.get("comment", "")
    subscriptions.cancel_later(world, sub, feedback=feedback, comment=comment)


def _going_on(world: World, name: str, also: tuple[str, ...] = ()) -> Object:
    sub = world.get(name, "subscription")
    if sub["status"] not in (*subscriptions.GOING_ON, *also):
        raise ApiError(
            f"This subscription is {sub['status']}.", code="resource_missing", status=404
        )
    return sub


def _one_price(world: World, items: list[Any]) -> Object:
    if len(items) != 1 or not isinstance(items[0], dict) or not items[0].get("price"):
        raise ApiError("Subscriptions here have one item with a price.", param="items")
    price = world.get(str(items[0]["price"]), "price")
    if not price["active"]:
        raise ApiError("The price is not active.", param="items", code="resource_missing")
    return price


def _coupon(world: World, given: Any, customer: Object) -> Object:
    name = str(given.get("coupon", "")) if isinstance(given, dict) else ""
    coupon = world.get(name, "coupon")
    if not discounts.is_valid(coupon, world.now):
        raise ApiError(f"Coupon {name} can no longer be used.", code="coupon_expired")
    return discounts.use(world, coupon, customer=customer["id"])


ROUTES = [
    ("POST", "subscriptions", create),
    ("POST", "subscriptions/*", update),
    ("DELETE", "subscriptions/*", cancel),
    ("POST", "subscription_schedules/*/release", release_schedule),
]
