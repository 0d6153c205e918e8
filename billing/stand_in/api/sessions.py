"""Checkout and portal sessions: addresses that a customer is sent to."""

from typing import Any

from billing.stand_in.api.customers import merged
from billing.stand_in.errors import ApiError
from billing.stand_in.params import Params
from billing.stand_in.store import Object
from billing.stand_in.world import World

CHECKOUT_LIVES = 24 * 3600  # seconds
PORTAL_LIVES = 3600
SHORTEST = 1800


def create_checkout(world: World, params: Params) -> Object:
    """Make the address at which a customer subscribes to a price."""
    if params.required("mode") != "subscription":
        raise ApiError("Only mode=subscription is here.", param="mode")
    customer = world.get(params.required("customer"), "customer")
    price = _price(world, params.sequence("line_items"))
    expires = params.integer("expires_at", world.now + CHECKOUT_LIVES)
    if not world.now + SHORTEST <= expires + 60 <= world.now + CHECKOUT_LIVES + 120:
        raise ApiError("expires_at is between 30 minutes and 24 hours ahead.", param="expires_at")
    for ignored in ("customer_update", "tax_id_collection", "consent_collection"):
        params.mapping(ignored)
    params.text("payment_method_collection")
    details = params.mapping("subscription_data")
    made = world.make(
        "checkout.session",
        **_amounts(price, tax=params.mapping("automatic_tax").get("enabled") == "true"),
        **_ends(params),
        allow_promotion_codes=params.boolean("allow_promotion_codes"),
        billing_address_collection=params.text("billing_address_collection") or None,
        client_reference_id=params.text("client_reference_id") or None,
        customer=customer["id"],
        customer_details={"email": customer["email"], "name": None},
        expires_at=expires,
        locale=params.text("locale") or None,
        metadata=merged({}, params.mapping("metadata")),
        _price=price["id"],
        _subscription_metadata=merged({}, details.get("metadata", {})),
    )
    made["url"] = f"{world.settings.address}/c/pay/{made['id']}"
    return world.save(made)


def expire_checkout(world: World, params: Params, name: str) -> Object:
    """Close a payment page that nobody has paid at."""
    found = world.get(name, "checkout.session")
    if found["status"] != "open":
        raise ApiError(f"This session is {found['status']}, so it cannot be expired.")
    found |= {"status": "expired", "url": None}
    world.save(found)
    world.emit("checkout.session.expired", found)
    return found


def create_configuration(world: World, params: Params) -> Object:
    """Say what customers may do in the portal."""
    made = world.make("billing_portal.configuration", active=True, is_default=False)
    return _configured(world, params, made)


def update_configuration(world: World, params: Params, name: str) -> Object:
    """Change what customers may do in the portal."""
    return _configured(world, params, world.get(name, "billing_portal.configuration"))


def create_portal(world: World, params: Params) -> Object:
    """Make the address at which a customer looks after what they pay."""
    customer = world.get(params.required("customer"), "customer")
    configuration = params.text("configuration")
    if configuration:
        world.get(configuration, "billing_portal.configuration")
    made = world.make(
        "billing_portal.session",
        configuration=configuration,
        customer=customer["id"],
        flow=params.mapping("flow_data") or None,
        locale=params.text("locale") or None,
        on_behalf_of=None,
        return_url=params.text("return_url") or None,
        _expires_at=world.now + PORTAL_LIVES,
    )
    made["url"] = f"{world.settings.address}/p/session/{made['id']}"
    return world.save(made)


def _amounts(price: Object, *, tax: bool) -> dict[str, Any]:
    return {
        "amount_subtotal": price["unit_amount"],
        "amount_total": price["unit_amount"],
        "automatic_tax": {"enabled": tax, "status": None, "liability": None, "provider": None},
        "currency": "usd",
    }


def _ends(params: Params) -> dict[str, Any]:
    return {
        "cancel_url": params.text("cancel_url") or None,
        "custom_fields": [],
        "custom_text": {},
        "invoice": None,
        "mode": "subscription",
        "payment_method_types": ["card"],
        "payment_status": "unpaid",
        "shipping_options": [],
        "status": "open",
        "subscription": None,
        "success_url": params.required("success_url"),
    }


def _configured(world: World, params: Params, found: Object) -> Object:
    found |= {
        "business_profile": params.mapping("business_profile") or found.get("business_profile", {}),
        "default_return_url": params.text("default_return_url") or None,
        "features": params.mapping("features") or found.get("features", {}),
        "login_page": {"enabled": False, "url": None},
        "name": params.text("name") or found.get("name"),
        "updated": world.now,
    }
    if "active" in params:
        found["active"] = params.boolean("active")
    found["metadata"] = merged(found["metadata"], params.mapping("metadata"))
    return world.save(found)


def _price(world: World, items: list[Any]) -> Object:
    if len(items) != 1 or not isinstance(items[0], dict) or items[0].get("quantity", "1") != "1":
        raise ApiError("One item, once.", param="line_items")
    price = world.get(str(items[0].get("price", "")), "price")
    if not price["active"]:
        raise ApiError("The price is not active.", param="line_items")
    return price


ROUTES = [
    ("POST", "checkout/sessions", create_checkout),
    ("POST", "checkout/sessions/*/expire", expire_checkout),
    ("POST", "billing_portal/configurations", create_configuration),
    ("POST", "billing_portal/configurations/*", update_configuration),
    ("POST", "billing_portal/sessions", create_portal),
]
