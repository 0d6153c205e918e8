"""The stand-in's world: its objects, its moment, and the events that tell of changes."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from billing.stand_in.clock import Clock
from billing.stand_in.errors import missing
from billing.stand_in.settings import Settings
from billing.stand_in.store import Object, Store

API_VERSION = "2026-10-28.endive"
_PREFIXES = {
    "billing_portal.configuration": "bpc",
    "billing_portal.session": "bps",
    "charge": "ch",
    "checkout.session": "cs_test",
    "customer": "cus",
    "discount": "di",
    "dispute": "du",
    "event": "evt",
    "invoice": "in",
    "invoice_payment": "inpay",
    "line_item": "il",
    "payment_intent": "pi",
    "payment_method": "pm",
    "price": "price",
    "product": "prod",
    "promotion_code": "promo",
    "coupon": "coupon",
    "refund": "re",
    "subscription": "sub",
    "subscription_item": "si",
    "subscription_schedule": "sub_sched",
}


class World:
    """What there is, and when it is. All changes happen inside `store.transaction()`."""

    def __init__(self, store: Store, clock: Clock, settings: Settings) -> None:
        self.store, self.settings = store, settings
        self._clock = clock
        self._moment: int | None = None

    @property
    def now(self) -> int:
        """The moment: the clock's, or the one that is being caught up with."""
        return self._clock.now() if self._moment is None else self._moment

    @contextmanager
    def at(self, moment: int) -> Iterator[None]:
        """Let it be an earlier moment for the length of a `with` block, inside a transaction."""
        self._moment = moment
        try:
            yield
        finally:
            self._moment = None

    def make(self, kind: str, **fields: Any) -> Object:
        """Return a new object, not stored yet. Fields that begin with _ are never shown."""
        made = {
            "id": new_id(kind),
            "object": kind,
            "created": self.now,
            "livemode": False,
            "metadata": {},
        }
        return made | fields

    def save(self, found: Object) -> Object:
        """Store an object."""
        return self.store.put(found)

    def get(self, name: str, kind: str) -> Object:
        """Return an object of a kind. Raises ApiError (404)."""
        found = self.store.get(name)
        if found is None or found["object"] != kind:
            raise missing(kind, name)
        return found

    def emit(self, kind: str, about: Object, *, before: Object | None = None) -> None:
        """Put on record, and have told, that something happened to an object as it is now."""
        data: Object = {"object": shown(about)}
        if before is not None:
            data["previous_attributes"] = before
        event = self.make(
            "event",
            api_version=API_VERSION,
            data=data,
            pending_webhooks=1,
            request={"id": None, "idempotency_key": None},
            type=kind,
        )
        del event["metadata"]
        self.save(event)
        if self.settings.webhook_url:
            self.store.schedule(event["id"], attempt=0, next_at=self.now)


def shown(found: Any) -> Any:
    """Return an object without what is the stand-in's own, at any depth."""
    if isinstance(found, dict):
        return {name: shown(value) for name, value in found.items() if name[:1] != "_"}
    return [shown(one) for one in found] if isinstance(found, list) else found


def new_id(kind: str) -> str:
    """Return an id as Stripe has them; nobody can guess it."""
    return f"{_PREFIXES[kind]}_{secrets.token_hex(12)}"


def listed(items: list[Object], url: str, *, has_more: bool = False) -> Object:
    """Return objects as a list of Stripe's."""
    return {"object": "list", "data": items, "has_more": has_more, "url": url}
