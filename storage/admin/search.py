"""One box that finds everything: by mail, name, identifier, credential, customer of Stripe's.

Each kind is looked for by whoever may see it, and a few of each are shown.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from accounts.models import Account, ApiToken, Device, Membership, User
from accounts.staff.staff_site import staff_site
from billing.models import StripeEvent, Subscription
from storage.models import Credential, Vault

SHOWN = 10  # of each kind
LEAST, MOST = 2, 254  # characters of what is looked for
SEPARATORS = (":", " ")  # behind a credential's user name may stand its secret


@dataclass(frozen=True)
class Found:
    """A row that was found: what it is called, what tells it from others, and where it is."""

    label: str
    detail: str
    url: str


@dataclass(frozen=True)
class Group:
    """What was found of one kind; `has_more` where only a part is shown."""

    title: str
    rows: Sequence[Found]
    has_more: bool


@dataclass(frozen=True)
class Kind:
    """Something to look for: who may, which rows, and how one is shown."""

    title: str
    right: str
    rows: Callable[[str], QuerySet[Any]]
    show: Callable[[Any], Found]


def find(term: str, request: HttpRequest) -> list[Group]:
    """Return what there is of a term, by kind; one query for each kind that somebody may see."""
    found = []
    for kind in KINDS:
        if request.user.has_perm(kind.right):
            rows = list(kind.rows(term)[: SHOWN + 1])
            if rows:
                shown = [kind.show(row) for row in rows[:SHOWN]]
                found.append(Group(kind.title, shown, len(rows) > SHOWN))
    return found


def page(request: HttpRequest) -> HttpResponse:
    """The page with the box and what was found."""
    term = request.GET.get("q", "").strip()
    is_fit = LEAST <= len(term) <= MOST
    context = staff_site().each_context(request) | {
        "title": "Search",
        "term": term[:MOST],
        "is_fit": is_fit,
        "groups": find(term, request) if is_fit else [],
    }
    return TemplateResponse(request, "admin/search.html", context)


def _accounts(term: str) -> QuerySet[Account]:
    named = Q(public_id=term) | Q(name__istartswith=term)
    return Account.objects.filter(named).order_by("-pk")


def _people(term: str) -> QuerySet[User]:
    named = Q(email__istartswith=term) | Q(name__istartswith=term)
    return User.objects.filter(named).order_by("email")


def _seats(term: str) -> QuerySet[Membership]:
    seats = Membership.objects.filter(user__email__istartswith=term)
    return seats.select_related("account", "user").order_by("user__email", "pk")


def _vaults(term: str) -> QuerySet[Vault]:
    named = Q(public_id=term) | Q(name__istartswith=term)
    return Vault.objects.filter(named).select_related("account").order_by("-pk")


def _devices(term: str) -> QuerySet[Device]:
    named = Q(public_id=term) | Q(name__istartswith=term)
    return Device.objects.filter(named).select_related("account").order_by("-pk")


def _credentials(term: str) -> QuerySet[Credential]:
    found = Credential.objects.filter(prefix=_before_secret(term))
    return found.select_related("vault__account")


def _tokens(term: str) -> QuerySet[ApiToken]:
    known_by = "_".join(term.split("_")[:2])  # what follows is the secret
    return ApiToken.objects.filter(prefix=known_by).select_related("account")


def _customers(term: str) -> QuerySet[Subscription]:
    named = Q(stripe_customer=term) | Q(stripe_subscription=term)
    return Subscription.objects.filter(named).select_related("account", "plan")


def _events(term: str) -> QuerySet[StripeEvent]:
    return StripeEvent.objects.filter(event_id=term).defer("body")


def _before_secret(term: str) -> str:
    for mark in SEPARATORS:
        term = term.partition(mark)[0]
    return term


def _account(account: Account) -> str:
    return reverse("admin:accounts_account_change", args=[account.pk])


def _row(row: Model) -> str:
    options = row._meta
    return reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[row.pk])


KINDS = (
    Kind(
        "Accounts",
        "accounts.view_account",
        _accounts,
        lambda row: Found(row.name, f"{row.public_id}, {row.state}", _account(row)),
    ),
    Kind(
        "Accounts, by their members",
        "accounts.view_account",
        _seats,
        lambda row: Found(row.account.name, f"{row.user.email}, {row.role}", _account(row.account)),
    ),
    Kind(
        "People",
        "accounts.view_user",
        _people,
        lambda row: Found(row.email, row.name, _row(row)),
    ),
    Kind(
        "Vaults",
        "storage.view_vault",
        _vaults,
        lambda row: Found(row.name, f"{row.public_id}, of {row.account.name}", _row(row)),
    ),
    Kind(
        "Devices",
        "accounts.view_device",
        _devices,
        lambda row: Found(row.name, f"{row.public_id}, of {row.account.name}", _row(row)),
    ),
    Kind(
        "Credentials",
        "storage.view_credential",
        _credentials,
        lambda row: Found(
            row.prefix, f"{row.scope}, of {row.vault.name} ({row.vault.account.name})", _row(row)
        ),
    ),
    Kind(
        "API tokens",
        "accounts.view_account",
        _tokens,
        lambda row: Found(row.prefix, f"of {row.account.name}", _account(row.account)),
    ),
    Kind(
        "Stripe’s customers",  # noqa: RUF001
        "billing.view_subscription",
        _customers,
        lambda row: Found(row.account.name, f"{row.stripe_customer}, {row.plan}", _row(row)),
    ),
    Kind(
        "Stripe’s events",  # noqa: RUF001
        "billing.view_stripeevent",
        _events,
        lambda row: Found(row.event_id, f"{row.type}, {row.state}", _row(row)),
    ),
)

staff_site().add_page("search/", page, name="search")
