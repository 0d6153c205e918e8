"""Pages as text. Whatever comes from outside goes through `e`."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape

from billing.stand_in.business.cards import CARDS
from billing.stand_in.store import Object

BANNER = "Payments stand-in: no real money"
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 0; background: Canvas; color: CanvasText; }
main { max-width: 38rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
.banner { background: #7a1f1f; color: #fff; padding: .75rem 1rem; font-weight: 700; margin: 0; }
form, section { border: 1px solid #8888; border-radius: 8px; padding: 1rem; margin: 1rem 0; }
label { display: block; margin: .5rem 0 .25rem; }
input[type=text], input[type=email], select, textarea { font: inherit; width: 100%; padding: .5rem;
  box-sizing: border-box; }
button { font: inherit; padding: .6rem 1rem; margin-top: .75rem; min-height: 2.75rem; }
.error { border: 2px solid #b00020; padding: .5rem 1rem; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: .25rem; }
"""
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'; "
    "form-action *"  # pages lead back to whatever site the session names
)


@dataclass(frozen=True)
class Page:
    """An answer: a page, or a way on to somewhere else."""

    body: str = ""
    status: int = 200
    location: str = ""
    headers: dict[str, str] = field(default_factory=dict)


def e(text: object) -> str:
    """Return a text for a page, whatever is in it."""
    return escape(str(text), quote=True)


def page(title: str, body: str, *, status: int = 200, error: str = "") -> Page:
    """Return a page under the banner that every page has."""
    alert = f'<p class="error" role="alert">{e(error)}</p>' if error else ""
    return Page(
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{e(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<style>{_STYLE}</style></head><body>"
        f'<p class="banner">{BANNER}</p><main><h1>{e(title)}</h1>'
        f"{alert}{body}</main></body></html>",
        status=status,
    )


def go(location: str) -> Page:
    """Return a way on to another address, by GET."""
    return Page(status=303, location=location)


def dollars(cents: int) -> str:
    """Return an amount for people."""
    sign = "-" if cents < 0 else ""
    return f"{sign}${abs(cents) // 100}.{abs(cents) % 100:02}"


def day(moment: int | None) -> str:
    """Return a day for people."""
    return f"{datetime.fromtimestamp(moment, UTC):%-d %B %Y}" if moment else "-"


def price_name(price: Object) -> str:
    """Return what a price is called, with its amount."""
    name = price["nickname"] or price["lookup_key"] or price["id"]
    return f"{name}: {dollars(price['unit_amount'])} a {price['recurring']['interval']}"


def card_field() -> str:
    """Return the field for a card's number, with what the test cards do."""
    known = "".join(
        f"<li><code>{number[:4]} {number[4:8]} {number[8:12]} {number[12:]}</code> {e(card.title)}"
        for number, card in CARDS.items()
    )
    return (
        '<label for="number">Card number</label>'
        '<input type="text" id="number" name="number" inputmode="numeric" required '
        'autocomplete="off" maxlength="30" placeholder="4242 4242 4242 4242">'
        f"<details><summary>Test cards</summary><ul>{known}</ul></details>"
    )


def confirm_page(amount: int, address: str) -> Page:
    """Return the page on which the customer's bank would ask."""
    return page(
        "3-D Secure",
        f"<p>Your bank asks whether you want to pay {dollars(amount)}.</p>"
        f'<form method="post" action="{e(address)}">'
        '<button name="answer" value="yes">Complete authentication</button> '
        '<button name="answer" value="no">Fail authentication</button></form>',
    )


def not_there() -> Page:
    """Return the page for an address that leads nowhere, or no longer."""
    return page("Not here", "<p>This page is not there, or has ended.</p>", status=404)
