"""From a request to its answer: key, version, parameters, idempotency, route, expansion."""

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from billing.stand_in.api import catalogue, customers, money, reading, sessions, subscribing
from billing.stand_in.errors import ApiError
from billing.stand_in.params import Params
from billing.stand_in.store import Answer, Object
from billing.stand_in.world import API_VERSION, World, shown

Handler = Callable[..., Object]
KEYS_LIVE = 24 * 3600  # seconds
_ROUTES: list[tuple[str, re.Pattern[str], Handler]] = [
    (method, re.compile("/v1/" + pattern.replace("*", r"([A-Za-z0-9_.\-]{1,255})")), handler)
    for module in (catalogue, customers, money, reading, sessions, subscribing)
    for method, pattern, handler in module.ROUTES
]


def answer(
    world: World, method: str, path: str, form: str, headers: Mapping[str, str]
) -> tuple[int, str]:
    """Return status and body (JSON) for a request to the API."""
    try:
        _check_caller(world, headers)
        params = Params.decode(form)
        key = headers.get("Idempotency-Key", "") if method == "POST" else ""
        with world.store.transaction():
            print_of = hashlib.sha256(f"{method} {path}\n{form}".encode()).hexdigest()
            if key and (before := _answered(world, key, print_of)) is not None:
                return before
            status, body = _run(world, method, path, params)
            if key:
                world.store.remember(key, Answer(print_of, status, body, world.now))
            return status, body
    except ApiError as error:
        return error.status, json.dumps(error.body)


def _check_caller(world: World, headers: Mapping[str, str]) -> None:
    key = headers.get("Authorization", "").removeprefix("Bearer ")
    if not hmac.compare_digest(key.encode(), world.settings.api_key.encode()):
        raise ApiError("Invalid API Key provided.", status=401)
    if headers.get("Stripe-Version", API_VERSION) != API_VERSION:
        raise ApiError(f"Invalid Stripe API version. This stand-in speaks {API_VERSION}.")


def _answered(world: World, key: str, print_of: str) -> tuple[int, str] | None:
    before = world.store.answered(key)
    if before is None or before.at + KEYS_LIVE <= world.now:
        return None
    if before.request != print_of:
        raise ApiError(
            "Keys for idempotent requests can only be used with the same parameters they were "
            f"first used with. Try using a key other than '{key}' if you meant another request.",
            kind="idempotency_error",
        )
    return before.status, before.body


def _run(world: World, method: str, path: str, params: Params) -> tuple[int, str]:
    """Run a handler; a refused payment is an answer whose traces stay."""
    try:
        handler, names = _route(method, path)
        expansions = [str(one) for one in params.sequence("expand")]
        found = handler(world, params, *names)
        params.require_all_taken()
        told = shown(found)
        for expansion in expansions:
            _expand(world, told, expansion.split("."))
        return 200, json.dumps(told)
    except ApiError as error:
        if not error.keeps:
            raise
        return error.status, json.dumps(error.body)


def _route(method: str, path: str) -> tuple[Handler, tuple[str, ...]]:
    for known, pattern, handler in _ROUTES:
        if known == method and (found := pattern.fullmatch(path)):
            return handler, found.groups()
    raise ApiError(f"Unrecognized request URL ({method}: {path}).", status=404)


def _expand(world: World, found: Any, path: list[str]) -> None:
    if isinstance(found, list):
        for one in found:
            _expand(world, one, path)
        return
    if not isinstance(found, dict) or not path or path[0] not in found:
        raise ApiError(f"This property cannot be expanded ({'.'.join(path)}).", param="expand")
    name, rest = path[0], path[1:]
    if isinstance(found[name], str):
        found[name] = shown(world.store.get(found[name])) or found[name]
    if rest and found[name] is not None:
        _expand(world, found[name], rest)
