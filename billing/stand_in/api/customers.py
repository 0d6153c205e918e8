"""Customers and the cards they keep."""

from typing import Any

from billing.stand_in.business import payments, subscriptions
from billing.stand_in.errors import ApiError
from billing.stand_in.params import Params
from billing.stand_in.store import Object
from billing.stand_in.world import World

_TEXTS = ("email", "name", "description", "phone")


def create(world: World, params: Params) -> Object:
    """Make a customer, with a card if one is named."""
    made = world.make(
        "customer",
        **{name: params.text(name) or None for name in _TEXTS},
        address=params.mapping("address") or None,
        balance=0,
        currency="usd",
        delinquent=False,
        default_source=None,
        preferred_locales=params.sequence("preferred_locales"),
        invoice_prefix="",
        invoice_settings={"default_payment_method": None, "custom_fields": None, "footer": None},
    )
    made["invoice_prefix"] = made["id"][-8:].upper()
    made["metadata"] = merged({}, params.mapping("metadata"))
    named = str(params.mapping("invoice_settings").get("default_payment_method", ""))
    wanted = params.text("payment_method") or named
    world.save(made)
    world.emit("customer.created", made)
    if wanted:
        _attach(world, made, wanted)
    return world.get(made["id"], "customer")


def update(world: World, params: Params, name: str) -> Object:
    """Change what is named, and nothing else."""
    found = world.get(name, "customer")
    found |= {text: params.text(text) or None for text in _TEXTS if text in params}
    if "address" in params:
        found["address"] = params.mapping("address") or None
    found["metadata"] = merged(found["metadata"], params.mapping("metadata"))
    chosen = params.mapping("invoice_settings").get("default_payment_method")
    world.save(found)
    if chosen:
        _attach(world, found, str(chosen))
    world.emit("customer.updated", found)
    return world.get(name, "customer")


def delete(world: World, params: Params, name: str) -> Object:
    """Delete a customer with cards and subscriptions; what was invoiced stays."""
    found = world.get(name, "customer")
    if not found.get("deleted"):
        for sub in world.store.all("subscription", customer=name):
            if sub["status"] not in ("canceled", "incomplete_expired"):
                subscriptions.end(world, sub)
        for method in world.store.all("payment_method", customer=name):
            world.save(method | {"customer": None})
        world.emit("customer.deleted", found)
        world.save({"id": name, "object": "customer", "deleted": True})
    return {"id": name, "object": "customer", "deleted": True}


def attach(world: World, params: Params, name: str) -> Object:
    """Keep a card for a customer."""
    customer = world.get(params.required("customer"), "customer")
    return _attach(world, customer, name)


def merged(before: dict[str, str], given: dict[str, Any]) -> dict[str, str]:
    """Return metadata with what was given; an empty value takes a key away."""
    both = before | {key: str(value) for key, value in given.items()}
    return {key: value for key, value in both.items() if value != ""}


def _attach(world: World, customer: Object, name: str) -> Object:
    method = payments.method_of(world, name)
    if not payments.behaviour(method).attaches:
        raise ApiError(
            "Your card was declined.",
            status=402,
            kind="card_error",
            code="card_declined",
            decline_code="generic_decline",
        )
    return payments.attach(world, method, customer)


ROUTES = [
    ("POST", "customers", create),
    ("POST", "customers/*", update),
    ("DELETE", "customers/*", delete),
    ("POST", "payment_methods/*/attach", attach),
]
