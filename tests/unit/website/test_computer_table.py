"""The table of computers: searched, narrowed, sorted and cut into pages by its address."""

from datetime import UTC, datetime, timedelta

import pytest

from storage.models import Vault
from storage.vault_status.overview import VaultOverview
from storage.vault_status.protection import Protection, Standing, VaultFigures
from storage.website.computer_table import A_PAGE, ORDERS, Wish, heads, page_of

NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)


def computer(
    name: str,
    standing: Standing = Standing.PROTECTED,
    *,
    days: int | None = 1,
    size: int = 1000,
) -> VaultOverview:
    last = None if days is None else NOON - timedelta(days=days)
    figures = VaultFigures(last_backup=last, bytes=size)
    return VaultOverview(Vault(name=name), figures, Protection(standing, ""), 2, 2)


def names(vaults: list[VaultOverview], **query: str) -> list[str]:
    return [shown.vault.name for shown in page_of(vaults, Wish.parse(query))]


SOME = [
    computer("pc-10", days=3, size=5),
    computer("pc-2", Standing.LATE, days=30, size=7),
    computer("Anna's laptop", Standing.NEVER, days=None, size=0),
    computer("PC-1", Standing.AT_RISK, days=1, size=6),
]


def test_the_worst_come_first_and_names_are_told_as_people_count() -> None:
    assert names(SOME) == ["PC-1", "pc-2", "Anna's laptop", "pc-10"]
    assert names(SOME, sort="name") == ["Anna's laptop", "PC-1", "pc-2", "pc-10"]


@pytest.mark.parametrize(
    ("order", "first"),
    [("-name", "pc-10"), ("last", "Anna's laptop"), ("-last", "PC-1"), ("-size", "pc-2")],
)
def test_it_is_sorted_by_each_column(order: str, first: str) -> None:
    assert names(SOME, sort=order)[0] == first
    other = order[1:] if order.startswith("-") else f"-{order}"
    assert names(SOME, sort=other)[-1] == first


def test_it_is_searched_by_name_and_narrowed_by_standing() -> None:
    assert names(SOME, q=" LAPTOP ") == ["Anna's laptop"]
    assert names(SOME, q="pc", standing="late") == ["pc-2"]
    assert names(SOME, standing="at-risk") == ["PC-1"]
    assert names(SOME, q="nobody") == []


@pytest.mark.parametrize(
    "query",
    [
        {"sort": "secret"},
        {"sort": "--name"},
        {"standing": "splendid"},
        {"page": "0"},
        {"page": "99"},
        {"page": "x" * 5000},
        {"page": "1" * 5000},
        {"page": "²"},
    ],
)
def test_what_there_is_not_is_as_if_it_was_not_asked(query: dict[str, str]) -> None:
    assert names(SOME, **query) == names(SOME)


def test_a_page_is_bounded_and_keeps_what_was_asked() -> None:
    many = [computer(f"pc-{n}") for n in range(A_PAGE + 7)]
    assert len(names(many)) == A_PAGE
    assert len(names(many, page="2")) == 7
    wish = Wish.parse({"q": "a & b", "standing": "late", "sort": "-size", "page": "2"})
    assert wish.asking(page="3") == "?q=a+%26+b&standing=late&sort=-size&page=3"
    assert wish.asking(order="name") == "?q=a+%26+b&standing=late&sort=name"
    assert Wish.parse({}).query == ""


def test_a_head_turns_its_column_round_and_says_so() -> None:
    by_size = {head.name: head for head in heads(Wish.parse({"sort": "-size"}))}
    assert (by_size["size"].sorted, by_size["size"].query) == ("descending", "?sort=size")
    assert (by_size["name"].sorted, by_size["name"].query) == ("", "?sort=name")
    assert by_size["standing"].query == "?"
    by_name = {head.name: head for head in heads(Wish.parse({"sort": "name"}))}
    assert (by_name["name"].sorted, by_name["name"].query) == ("ascending", "?sort=-name")
    assert by_name["size"].query == "?sort=-size"


def test_every_order_on_offer_is_one() -> None:
    assert all(Wish.parse({"sort": order}).order == order for order, _ in ORDERS)
