"""Checkout: the page at which a customer subscribes, with a card that is none."""

from billing.stand_in.business import discounts, invoices, payments, subscriptions
from billing.stand_in.errors import ApiError
from billing.stand_in.pages.layout import (
    Page,
    card_field,
    confirm_page,
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

REFUSED = "We are unable to authenticate your payment method. Please choose a different one."


class DeclinedError(Exception):
    """A payment failed, so nothing is begun."""


def show(world: World, name: str, *, error: str = "", code: str = "") -> Page:
    """Return the page of a session: open, or what became of it."""
    session = world.store.get(name)
    if session is None or session["object"] != "checkout.session":
        return not_there()
    if session["status"] != "open":
        return _ended(session)
    price = world.get(session["_price"], "price")
    email = e(session["customer_details"]["email"] or "")
    typed = (
        '<label for="code">Promotion code (may be empty)</label>'
        f'<input type="text" id="code" name="code" maxlength="100" value="{e(code)}">'
        if session["allow_promotion_codes"]
        else ""
    )
    back = session["cancel_url"]
    return page(
        "Subscribe",
        f"<p>{e(price_name(price))}</p>"
        f'<form method="post" action="/c/pay/{e(name)}">'
        f'<label for="email">E-mail address</label>'
        f'<input type="email" id="email" name="email" maxlength="254" value="{email}">'
        f"{card_field()}{typed}<button>Subscribe</button></form>"
        + (f'<p><a href="{e(back)}">Back without paying</a></p>' if back else ""),
        error=error,
        status=402 if error else 200,
    )


def pay(world: World, name: str, form: Params) -> Page:
    """Pay with what was typed, or ask the bank first."""
    session = world.store.get(name)
    if session is None or session["object"] != "checkout.session":
        return not_there()
    if session["status"] != "open":
        return _ended(session)
    code = form.text("code")
    if code and discounts.by_code(world, code) is None:
        return show(world, name, error=f"The code {code} is not valid.")
    try:
        method = payments.make_card(world, form.text("number"), email=form.text("email"))
    except ApiError as error:
        return show(world, name, error=str(error), code=code)
    if payments.wants_confirmation(method):
        world.save(session | {"_method": method["id"], "_code": code})
        return go(f"/c/pay/{name}/confirm")
    return _finish(world, session, method, code=code, confirmed=False)


def ask(world: World, name: str) -> Page:
    """Return the bank's page of a session that waits for it."""
    session = world.store.get(name)
    if session is None or session.get("status") != "open" or not session.get("_method"):
        return not_there()
    return confirm_page(session["amount_total"], f"/c/pay/{name}/confirm")


def confirm(world: World, name: str, form: Params) -> Page:
    """Go on after the bank's page."""
    session = world.store.get(name)
    if session is None or session.get("status") != "open" or not session.get("_method"):
        return (
            _ended(session) if session and session["object"] == "checkout.session" else not_there()
        )
    method, code = world.get(session["_method"], "payment_method"), session["_code"]
    world.save(session | {"_method": ""})
    if form.text("answer") != "yes":
        return show(world, name, error=REFUSED, code=code)
    return _finish(world, session, method, code=code, confirmed=True)


def _finish(world: World, session: Object, method: Object, *, code: str, confirmed: bool) -> Page:
    customer = world.get(session["customer"], "customer")
    price = world.get(session["_price"], "price")
    coupon = discounts.by_code(world, code) if code else None
    used = [discounts.use(world, coupon, customer=customer["id"], code=code)] if coupon else []
    sub = subscriptions.draft(
        world,
        customer,
        price,
        metadata=session["_subscription_metadata"],
        discounts=used,
        tax=session["automatic_tax"]["enabled"],
    )
    sub["default_payment_method"] = method["id"]
    payments.attach(world, method, customer)
    sub, went = subscriptions.begin(world, sub, method, confirmed=confirmed)
    if went.status != "paid":
        raise DeclinedError(went.sentence)
    invoice = world.get(sub["latest_invoice"], "invoice")
    session |= {
        "status": "complete",
        "payment_status": "paid",
        "subscription": sub["id"],
        "invoice": invoice["id"],
        "amount_total": invoice["total"],
        "url": None,
    }
    world.save(session)
    world.emit("checkout.session.completed", session)
    return go(_back(session))


def _ended(session: Object) -> Page:
    if session["status"] == "complete":  # the button was pressed twice
        return go(_back(session))
    back = session["cancel_url"]
    way = f'<p><a href="{e(back)}">Back to the site</a></p>' if back else ""
    return page("This page has ended", f"<p>Nothing was paid here.</p>{way}", status=410)


def _back(session: Object) -> str:
    return str(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", session["id"])


def _way_back(world: World, customer: str) -> str:
    """Return a link to where the customer came from last, as an invoice does not say it."""
    kinds = ("billing_portal.session", "checkout.session")  # of one second, the portal's is later
    sessions = [one for kind in kinds for one in world.store.all(kind, customer=customer)]
    last = max(sessions, key=lambda session: session["created"], default=None)
    if last is None:
        return ""
    address = last["return_url"] if "return_url" in last else _back(last)
    return f'<p><a href="{e(address)}">Return to the site</a></p>' if address else ""


def invoice_page(world: World, name: str, *, error: str = "") -> Page:
    """Return an invoice, with a form to pay it while it is open."""
    invoice = world.store.get(name)
    if invoice is None or invoice["object"] != "invoice":
        return not_there()
    lines = "".join(
        f"<tr><td>{e(line['description'])}<td>{dollars(line['amount'])}"
        for line in invoice["lines"]["data"]
    )
    off = invoice["subtotal"] - invoice["total"]
    lines += f"<tr><td>Discount<td>{dollars(-off)}" if off else ""
    form = (
        f'<form method="post" action="/i/{e(name)}">{card_field()}'
        f"<button>Pay {dollars(invoice['amount_remaining'])}</button></form>"
        if invoice["status"] == "open"
        else ""
    )
    return page(
        f"Invoice {invoice['number']}",
        f"<p>{e(invoice['status'])}</p><table>{lines}"
        f"<tr><th>Total<th>{dollars(invoice['total'])}"
        f"<tr><th>Due<th>{dollars(invoice['amount_remaining'])}</table>{form}"
        f"{_way_back(world, invoice['customer'])}",
        error=error,
        status=402 if error else 200,
    )


def pay_invoice(world: World, name: str, form: Params, *, confirmed: bool = False) -> Page:
    """Pay an open invoice with another card, which is kept."""
    invoice = world.store.get(name)
    if invoice is None or invoice["object"] != "invoice":
        return not_there()
    if invoice["status"] != "open":
        return go(f"/i/{name}")
    sub = world.get(invoices.subscription_of(invoice), "subscription")
    try:
        method = payments.make_card(world, form.text("number"))
    except ApiError as error:
        return invoice_page(world, name, error=str(error))
    if payments.wants_confirmation(method) and form.text("answer") != "yes":
        typed = e(form.text("number"))
        asked = confirm_page(invoice["amount_remaining"], f"/i/{name}")
        hidden = f'<input type="hidden" name="number" value="{typed}"><button name="answer"'
        return Page(asked.body.replace('<button name="answer"', hidden, 1))
    went = subscriptions.collect(world, sub, invoice, method=method, confirmed="answer" in form)
    if went.status != "paid":
        return invoice_page(world, name, error=went.sentence)
    payments.attach(world, method, world.get(invoice["customer"], "customer"))
    return go(f"/i/{name}")
