"""The portal: change the plan, the card, cancel with a reason, see invoices."""

from typing import Any

from billing.stand_in.business import payments, schedules, subscriptions
from billing.stand_in.errors import ApiError
from billing.stand_in.pages.layout import (
    Page,
    card_field,
    confirm_page,
    day,
    dollars,
    e,
    go,
    not_there,
    page,
    price_name,
)
from billing.stand_in.params import Params
from billing.stand_in.store import Object
from billing.stand_in.world import World

FEEDBACK = {
    "too_expensive": "It is too expensive",
    "missing_features": "It lacks something",
    "switched_service": "I found another one",
    "unused": "I do not use it",
    "customer_service": "Customer service",
    "too_complex": "It is too complex",
    "low_quality": "Quality",
    "other": "Something else",
}


def show(world: World, name: str, *, error: str = "") -> Page:
    """Return the portal's one page."""
    session = _open(world, name)
    if session is None:
        return not_there()
    customer = world.get(session["customer"], "customer")
    found = world.store.all("subscription", customer=customer["id"])
    parts = [
        _subscription(world, session, sub)
        for sub in found
        if sub["status"] in subscriptions.GOING_ON
    ]
    parts += [_card(world, session, customer), _invoices(world, customer)]
    if session["return_url"]:
        parts.append(f'<p><a href="{e(session["return_url"])}">Return to the site</a></p>')
    return page("Your subscription", "".join(parts), error=error, status=402 if error else 200)


def act(world: World, name: str, form: Params) -> Page:
    """Do what a button of the page says."""
    session = _open(world, name)
    if session is None:
        return not_there()
    customer = world.get(session["customer"], "customer")
    try:
        if form.text("act") == "card":
            return _keep_card(world, session, customer, form)
        sub = world.store.get(form.text("subscription"))
        if sub is None or sub.get("customer") != customer["id"]:
            return not_there()
        if sub["status"] not in subscriptions.GOING_ON:
            return show(world, name, error="This subscription has ended.")
        return _change(world, session, sub, form)
    except ApiError as error:
        return show(world, name, error=str(error))


def _change(world: World, session: Object, sub: Object, form: Params) -> Page:
    wish = form.text("act")
    if wish == "cancel":
        feedback = form.text("feedback")
        said = {
            "feedback": feedback if feedback in FEEDBACK else "",
            "comment": form.text("comment"),
        }
        subscriptions.cancel_later(world, sub, **said)
    elif wish == "go-on":
        subscriptions.go_on(world, sub)
    elif wish == "keep-plan":
        schedules.release(world, sub)
        subscriptions.changed(world, sub)
    elif wish == "change":
        return _change_price(world, session, sub, form)
    return go(f"/p/session/{session['id']}")


def _change_price(world: World, session: Object, sub: Object, form: Params) -> Page:
    price = world.get(form.text("price"), "price")
    if price["id"] not in [one["id"] for one in _on_sale(world, session)]:
        return show(world, session["id"], error="This plan is not on offer.")
    now = subscriptions.item_of(sub)["price"]
    if sub["cancel_at_period_end"]:
        subscriptions.go_on(world, sub)
    if price["id"] == now["id"]:
        return go(f"/p/session/{session['id']}")
    if _waits(session, world, now, price):
        schedules.plan(world, sub, price)
        subscriptions.changed(world, sub)
        return go(f"/p/session/{session['id']}")
    method = subscriptions.method_for(world, sub)
    confirmed = form.text("answer") == "yes"
    if method and payments.wants_confirmation(method) and "answer" not in form:
        return _ask(session, sub, price)
    went = subscriptions.change_price(world, sub, price, confirmed=confirmed)
    if went.status != "paid":
        return show(world, session["id"], error=went.sentence)
    return go(f"/p/session/{session['id']}")


def _waits(session: Object, world: World, now: Object, price: Object) -> bool:
    """Return whether a change waits for the end of the period, as the configuration says."""
    update = _features(world, session).get("subscription_update", {})
    wishes = update.get("schedule_at_period_end", {}).get("conditions", [])
    kinds = {str(wish.get("type")) for wish in wishes}
    intervals = (now["recurring"]["interval"], price["recurring"]["interval"])
    shortens = intervals == ("year", "month")
    cheaper = intervals[0] == intervals[1] and price["unit_amount"] < now["unit_amount"]
    return (shortens and "shortening_interval" in kinds) or (
        cheaper and "decreasing_item_amount" in kinds
    )


def _ask(session: Object, sub: Object, price: Object) -> Page:
    asked = confirm_page(price["unit_amount"], f"/p/session/{session['id']}")
    kept = {"act": "change", "subscription": sub["id"], "price": price["id"]}
    hidden = "".join(f'<input type="hidden" name="{n}" value="{e(v)}">' for n, v in kept.items())
    return Page(asked.body.replace("<button", f"{hidden}<button", 1))


def _keep_card(world: World, session: Object, customer: Object, form: Params) -> Page:
    method = payments.make_card(world, form.text("number"))
    if not payments.behaviour(method).attaches:
        return show(world, session["id"], error="Your card was declined.")
    payments.attach(world, method, customer)
    for sub in world.store.all("subscription", customer=customer["id"]):
        if sub["status"] in subscriptions.GOING_ON:
            sub["default_payment_method"] = method["id"]
            subscriptions.changed(world, sub)
    return go(f"/p/session/{session['id']}")


def _open(world: World, name: str) -> Object | None:
    session = world.store.get(name)
    if session is None or session["object"] != "billing_portal.session":
        return None
    return session if world.now < session["_expires_at"] else None


def _features(world: World, session: Object) -> dict[str, Any]:
    if not session["configuration"]:
        return {}
    found = world.get(session["configuration"], "billing_portal.configuration")
    return dict(found["features"])


def _on_sale(world: World, session: Object) -> list[Object]:
    update = _features(world, session).get("subscription_update", {})
    prices = [name for one in update.get("products", []) for name in one.get("prices", [])]
    found = [world.get(name, "price") for name in prices]
    return [price for price in found if price["active"]]


def _subscription(world: World, session: Object, sub: Object) -> str:
    item = subscriptions.item_of(sub)
    form = (
        f'<form method="post" action="/p/session/{e(session["id"])}">'
        f'<input type="hidden" name="subscription" value="{e(sub["id"])}">'
    )
    state = f"It is {e(sub['status'])}. The period ends on {day(item['current_period_end'])}."
    return (
        f"<section><h2>{e(price_name(item['price']))}</h2><p>{state}</p>"
        f"{_planned(world, sub, form)}</section>"
        f"{_choice(item['price'], _on_sale(world, session), form)}{_ending(sub, form)}"
    )


def _choice(now: Object, on_sale: list[Object], form: str) -> str:
    if not on_sale:
        return ""
    options = "".join(
        f'<option value="{e(price["id"])}"{" selected" * (price["id"] == now["id"])}>'
        f"{e(price_name(price))}</option>"
        for price in on_sale
    )
    return (
        f'{form}<label for="price">Plan</label><select id="price" name="price">{options}</select>'
        '<button name="act" value="change">Change the plan</button></form>'
    )


def _planned(world: World, sub: Object, form: str) -> str:
    if not sub["schedule"]:
        return ""
    phase = world.get(sub["schedule"], "subscription_schedule")["phases"][-1]
    price = world.get(phase["items"][0]["price"], "price")
    return (
        f"<p>Then it changes to {e(price_name(price))}.</p>"
        f'{form}<button name="act" value="keep-plan">Do not change</button></form>'
    )


def _ending(sub: Object, form: str) -> str:
    if sub["cancel_at_period_end"]:
        button = '<button name="act" value="go-on">Do not cancel</button>'
        return f"{form}<p>It is cancelled for the end of the period.</p>{button}</form>"
    options = "".join(f'<option value="{n}">{e(text)}</option>' for n, text in FEEDBACK.items())
    return (
        f'{form}<label for="feedback">Why do you cancel?</label>'
        f'<select id="feedback" name="feedback"><option value="">(no answer)</option>{options}'
        '</select><label for="comment">Anything else?</label>'
        '<textarea id="comment" name="comment" maxlength="500"></textarea>'
        '<button name="act" value="cancel">Cancel at the end of the period</button></form>'
    )


def _card(world: World, session: Object, customer: Object) -> str:
    kept = customer["invoice_settings"]["default_payment_method"]
    card = world.get(kept, "payment_method")["card"] if kept else None
    text = f"{e(card['brand'])} ending in {e(card['last4'])}" if card else "No card is kept."
    return (
        f'<form method="post" action="/p/session/{e(session["id"])}"><h2>Card</h2><p>{text}</p>'
        f'{card_field()}<button name="act" value="card">Use this card</button></form>'
    )


def _invoices(world: World, customer: Object) -> str:
    rows = "".join(
        f'<tr><td><a href="/i/{e(one["id"])}">{e(one["number"])}</a><td>{day(one["created"])}'
        f"<td>{dollars(one['total'])}<td>{e(one['status'])}"
        for one in world.store.all("invoice", customer=customer["id"])
    )
    return f"<section><h2>Invoices</h2><table>{rows or '<tr><td>None yet.'}</table></section>"
