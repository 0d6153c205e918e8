"""Tells the service of events: signed, and again and again until it answers with 2xx."""

import hashlib
import hmac
import json
import logging
import urllib.error
import urllib.request

from billing.stand_in.world import World, shown

log = logging.getLogger(__name__)
# Seconds after an attempt until the next one, for about three days, as Stripe does it.
PAUSES = (2, 10, 60, 600, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 24 * 3600, 24 * 3600)
PATIENCE = 10.0  # seconds
# Straight there, whatever proxies the environment names.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def signature(body: bytes, *, secret: str, at: int) -> str:
    """Return the `Stripe-Signature` header of a body that is sent at a moment."""
    signed = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={signed}"


def deliver_due(world: World) -> int:
    """Send what is due, once each; return how many were taken."""
    taken = 0
    for event, attempt in world.store.due(world.now):
        found = world.store.get(event)
        if found is not None and _send(world, json.dumps(shown(found)).encode()):
            world.store.settle(event)
            taken += 1
        elif attempt >= len(PAUSES):
            world.store.settle(event)
        else:
            later = world.now + PAUSES[attempt]
            world.store.schedule(event, attempt=attempt + 1, next_at=later)
    return taken


def _send(world: World, body: bytes) -> bool:
    settings = world.settings
    request = urllib.request.Request(  # noqa: S310  # an address of our own settings
        settings.webhook_url,
        data=body,
        headers={
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Payments stand-in (no real money)",
            "Stripe-Signature": signature(body, secret=settings.webhook_secret, at=world.now),
        },
    )
    try:
        with _direct.open(request, timeout=PATIENCE) as answer:
            return 200 <= int(answer.status) < 300
    except urllib.error.HTTPError as refusal:
        with refusal:
            log.warning("the webhook answered %d", refusal.code)
    except (OSError, ValueError) as error:
        log.info("the webhook cannot be reached: %s", error)
    return False
