"""Lists and single objects of every kind, and events."""

from collections.abc import Callable

from billing.stand_in.errors import ApiError
from billing.stand_in.params import Params
from billing.stand_in.store import Object
from billing.stand_in.world import World, listed

MOST = 100
_KINDS = {
    "billing_portal/configurations": "billing_portal.configuration",
    "charges": "charge",
    "checkout/sessions": "checkout.session",
    "coupons": "coupon",
    "customers": "customer",
    "disputes": "dispute",
    "events": "event",
    "invoice_payments": "invoice_payment",
    "invoices": "invoice",
    "payment_intents": "payment_intent",
    "payment_methods": "payment_method",
    "prices": "price",
    "products": "product",
    "promotion_codes": "promotion_code",
    "refunds": "refund",
    "subscription_schedules": "subscription_schedule",
    "subscriptions": "subscription",
}
# Lists that show what has this value in this field, if the parameter is given.
_FILTERS = (
    *("charge", "code", "customer", "invoice", "payment_intent", "product", "status", "type"),
    "subscription",
)


def one(kind: str) -> Callable[[World, Params, str], Object]:
    """Return the handler that answers a single object."""

    def handler(world: World, params: Params, name: str) -> Object:
        return world.get(name, kind)

    return handler


def many(path: str, kind: str) -> Callable[[World, Params], Object]:
    """Return the handler that answers a page of objects, the newest first."""

    def handler(world: World, params: Params) -> Object:
        customer = params.text("customer")
        found = world.store.all(kind, customer=customer)
        found = [item for item in found if not item.get("deleted")]
        for name in _FILTERS:
            if name in params and name != "customer":
                found = _filtered(found, kind, name, params.text(name))
        found = _of_special(found, kind, params)
        if "active" in params:
            wanted = params.boolean("active")
            found = [item for item in found if item["active"] == wanted]
        return _page(_since(found, params), params, f"/v1/{path}")

    return handler


def _filtered(found: list[Object], kind: str, name: str, value: str) -> list[Object]:
    if kind == "subscription" and name == "status" and value == "all":
        return found
    if kind == "invoice" and name == "subscription":
        return [
            item
            for item in found
            if item["parent"]["subscription_details"]["subscription"] == value
        ]
    return [item for item in found if item.get(name) == value]


def _of_special(found: list[Object], kind: str, params: Params) -> list[Object]:
    if kind == "subscription" and "status" not in params:
        return [item for item in found if item["status"] not in ("canceled", "incomplete_expired")]
    if kind == "price" and "lookup_keys" in params:
        wanted = params.sequence("lookup_keys")
        return [item for item in found if item["lookup_key"] in wanted]
    if kind == "event" and "types" in params:
        wanted = params.sequence("types")
        return [item for item in found if item["type"] in wanted]
    return found


def _since(found: list[Object], params: Params) -> list[Object]:
    tests = {
        "gt": lambda at, bound: at > bound,
        "gte": lambda at, bound: at >= bound,
        "lt": lambda at, bound: at < bound,
        "lte": lambda at, bound: at <= bound,
    }
    for name, bound in params.mapping("created").items():
        if name not in tests:
            raise ApiError(f"Received unknown parameter: created[{name}]", param="created")
        found = [item for item in found if tests[name](item["created"], int(bound))]
    return found


def _page(found: list[Object], params: Params, url: str) -> Object:
    limit = params.integer("limit", 10)
    if not 1 <= limit <= MOST:
        raise ApiError(f"This value must be between 1 and {MOST}.", param="limit")
    names = [item["id"] for item in found]
    if after := params.text("starting_after"):
        found = found[names.index(after) + 1 :] if after in names else []
    return listed(found[:limit], url, has_more=len(found) > limit)


ROUTES = [
    *(("GET", f"{path}/*", one(kind)) for path, kind in _KINDS.items()),
    *(("GET", path, many(path, kind)) for path, kind in _KINDS.items()),
]
