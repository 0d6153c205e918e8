"""The table of computers: what of it is asked for by the address, and the rows that are shown.

What an address asks for and there is not (a standing, a column, a page) is as if it was not asked.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator
from django.utils.translation import gettext_lazy as _

from storage.vault_status.overview import VaultOverview
from storage.vault_status.protection import Standing
from storage.vault_status.summary import severity

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

A_PAGE = 50  # rows
LONGEST = 100  # characters of a name
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class Column:
    """A column to sort by, and whether its first order is the falling one."""

    name: str
    label: "StrOrPromise"
    key: Callable[[VaultOverview], Any]
    falls: bool = False


def _by_name(shown: VaultOverview) -> list[tuple[int, int, str]]:
    """Return a key that puts pc-2 before pc-10."""
    parts = _DIGITS.split(shown.vault.name.casefold())
    return [(1, int(part), "") if part.isdecimal() else (2, 0, part) for part in parts if part]


COLUMNS = {
    column.name: column
    for column in (
        Column("name", _("Computer"), _by_name),
        Column("standing", _("Standing"), lambda shown: severity(shown.protection.standing)),
        Column("last", _("Last backup"), lambda shown: shown.figures.last_backup or _LONG_AGO),
        Column("size", _("Stored"), lambda shown: shown.figures.bytes, falls=True),
    )
}
# As a list to choose from: the column, "-" before it for the falling order, and words.
ORDERS = (
    ("standing", _("Worst first")),
    ("name", _("Name")),
    ("last", _("Longest without a backup")),
    ("-last", _("Latest backup")),
    ("-size", _("Largest")),
    ("size", _("Smallest")),
)


@dataclass(frozen=True)
class Wish:
    """What somebody wants to see. `order` is a column's name, with a "-" for the falling order."""

    search: str = ""
    standing: Standing | None = None
    order: str = "standing"
    page: str = "1"

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> "Wish":
        """Return the wish of an address's query."""
        slugs = {standing.slug: standing for standing in Standing}
        order = query.get("sort", "")
        return cls(
            search=query.get("q", "").strip()[:LONGEST],
            standing=slugs.get(query.get("standing", "")),
            order=order if order.removeprefix("-") in COLUMNS else cls.order,
            page=query.get("page", "1"),
        )

    @property
    def narrows(self) -> bool:
        """Whether something is left out."""
        return bool(self.search) or self.standing is not None

    @property
    def is_plain(self) -> bool:
        """Whether nothing in particular is asked for."""
        return self == Wish()

    @property
    def query(self) -> str:
        """The query of its address, with the question mark; empty where nothing is asked."""
        return self.asking()

    def asking(self, **changes: Any) -> str:
        """Return the query of this wish with changes, on the first page unless that is given."""
        wish = replace(self, **{"page": "1", **changes}) if changes else self
        asked = {
            "q": wish.search,
            "standing": wish.standing.slug if wish.standing else "",
            "sort": "" if wish.order == Wish.order else wish.order,
            "page": "" if wish.page == "1" else wish.page,
        }
        text = urlencode({name: value for name, value in asked.items() if value})
        return f"?{text}" if text else ""


@dataclass(frozen=True)
class Head:
    """A column's head: where its link leads, and what `aria-sort` says."""

    name: str
    label: "StrOrPromise"
    query: str
    sorted: str


def heads(wish: Wish) -> list[Head]:
    """Return the heads of the columns that one can sort by, in their order."""
    return [_head(column, wish) for column in COLUMNS.values()]


def _head(column: Column, wish: Wish) -> Head:
    rising, falling = column.name, f"-{column.name}"
    first, second = (falling, rising) if column.falls else (rising, falling)
    said = {rising: "ascending", falling: "descending"}.get(wish.order, "")
    query = wish.asking(order=second if wish.order == first else first)
    return Head(column.name, column.label, query or "?", said)


def page_of(vaults: Sequence[VaultOverview], wish: Wish) -> Page[VaultOverview]:
    """Return the page that is asked for; the nearest one where there is no such page."""
    rows = [shown for shown in vaults if _matches(shown, wish)]
    rows.sort(key=_by_name)
    column = COLUMNS[wish.order.removeprefix("-")]
    rows.sort(key=column.key, reverse=wish.order.startswith("-"))
    return Paginator(rows, A_PAGE).get_page(wish.page)


def _matches(shown: VaultOverview, wish: Wish) -> bool:
    if wish.standing is not None and shown.protection.standing is not wish.standing:
        return False
    names = [shown.vault.name, shown.vault.device.name if shown.vault.device else ""]
    return any(wish.search.casefold() in name.casefold() for name in names)
