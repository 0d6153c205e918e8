"""What is sold: products, prices, coupons and the codes that people type for them."""

from billing.stand_in.api.customers import merged
from billing.stand_in.errors import ApiError
from billing.stand_in.params import Params
from billing.stand_in.store import Object
from billing.stand_in.world import World


def create_product(world: World, params: Params) -> Object:
    """Make a product, under an id of one's own if it is named."""
    made = world.make(
        "product",
        name=params.required("name"),
        active=params.boolean("active", default=True),
        default_price=None,
        description=params.text("description") or None,
        images=[],
        marketing_features=[],
        tax_code=params.text("tax_code") or None,
        type="service",
        updated=world.now,
    )
    made["id"] = _own_id(world, params, made["id"])
    made["metadata"] = merged({}, params.mapping("metadata"))
    return _told(world, made, "product.created")


def update_product(world: World, params: Params, name: str) -> Object:
    """Change what is named."""
    found = world.get(name, "product")
    found |= {text: params.text(text) for text in ("name", "description") if text in params}
    if "active" in params:
        found["active"] = params.boolean("active")
    found["metadata"] = merged(found["metadata"], params.mapping("metadata"))
    return _told(world, found | {"updated": world.now}, "product.updated")


def create_price(world: World, params: Params) -> Object:
    """Make a price; its look-up key is taken from another one only where that is asked for."""
    product = world.get(params.required("product"), "product")
    recurring = params.mapping("recurring")
    if recurring.get("interval") not in ("month", "year"):
        raise ApiError("Prices here are monthly or yearly.", param="recurring[interval]")
    cents = params.integer("unit_amount")
    if params.required("currency") != "usd" or cents <= 0:
        raise ApiError("Prices here are in US dollars, and above nothing.", param="currency")
    made = world.make(
        "price",
        active=True,
        billing_scheme="per_unit",
        currency="usd",
        lookup_key=params.text("lookup_key") or None,
        nickname=params.text("nickname") or None,
        product=product["id"],
        recurring={
            "interval": recurring["interval"],
            "interval_count": 1,
            "usage_type": "licensed",
        },
        tax_behavior=params.text("tax_behavior") or "unspecified",
        tiers_mode=None,
        transform_quantity=None,
        type="recurring",
        unit_amount=cents,
        unit_amount_decimal=str(cents),
    )
    made["metadata"] = merged({}, params.mapping("metadata"))
    _claim_key(world, made["lookup_key"], transfer=params.boolean("transfer_lookup_key"))
    return _told(world, made, "price.created")


def update_price(world: World, params: Params, name: str) -> Object:
    """Change what can be changed of a price: never its amount."""
    found = world.get(name, "price")
    if "active" in params:
        found["active"] = params.boolean("active")
    if "nickname" in params:
        found["nickname"] = params.text("nickname") or None
    if "lookup_key" in params:
        key = params.text("lookup_key") or None
        if key != found["lookup_key"]:
            _claim_key(world, key, transfer=params.boolean("transfer_lookup_key"))
        found["lookup_key"] = key
    found["metadata"] = merged(found["metadata"], params.mapping("metadata"))
    return _told(world, found, "price.updated")


def create_coupon(world: World, params: Params) -> Object:
    """Make a coupon: a share or an amount off, once, for some months, or for ever."""
    percent, off = params.text("percent_off"), params.integer("amount_off")
    duration = params.text("duration") or "once"
    if bool(percent) == bool(off) or duration not in ("once", "repeating", "forever"):
        raise ApiError("Say percent_off or amount_off, and a duration.", param="percent_off")
    made = world.make(
        "coupon",
        amount_off=off or None,
        percent_off=float(percent) if percent else None,
        currency=(params.text("currency") or "usd") if off else None,
        duration=duration,
        duration_in_months=params.integer("duration_in_months") or None,
        max_redemptions=params.integer("max_redemptions") or None,
        name=params.text("name") or None,
        redeem_by=params.integer("redeem_by") or None,
        times_redeemed=0,
        valid=True,
    )
    made["id"] = _own_id(world, params, made["id"])
    return _told(world, made, "coupon.created")


def create_code(world: World, params: Params) -> Object:
    """Make a code that customers type for a coupon."""
    promotion = params.mapping("promotion")
    coupon = world.get(str(promotion.get("coupon", "")), "coupon")
    made = world.make(
        "promotion_code",
        active=True,
        code=params.text("code").upper() or coupon["id"].upper(),
        customer=None,
        expires_at=params.integer("expires_at") or None,
        max_redemptions=params.integer("max_redemptions") or None,
        promotion={"type": "coupon", "coupon": coupon["id"]},
        restrictions={"first_time_transaction": False},
        times_redeemed=0,
    )
    return _told(world, made, "promotion_code.created")


def _own_id(world: World, params: Params, drawn: str) -> str:
    wanted = params.text("id")
    if wanted and world.store.get(wanted) is not None:
        raise ApiError(f"{wanted} already exists.", code="resource_already_exists", param="id")
    return wanted or drawn


def _claim_key(world: World, key: str | None, *, transfer: bool) -> None:
    holders = [one for one in world.store.all("price") if key and one["lookup_key"] == key]
    for holder in holders:
        if not transfer:
            text = f"A price ({holder['id']}) already uses that lookup key."
            raise ApiError(text, code="resource_already_exists", param="lookup_key")
        world.save(holder | {"lookup_key": None})


def _told(world: World, found: Object, kind: str) -> Object:
    world.save(found)
    world.emit(kind, found)
    return found


ROUTES = [
    ("POST", "products", create_product),
    ("POST", "products/*", update_product),
    ("POST", "prices", create_price),
    ("POST", "prices/*", update_price),
    ("POST", "coupons", create_coupon),
    ("POST", "promotion_codes", create_code),
]
