"""The activity of an account as a table for spreadsheets, written row by row."""

import csv
import re
from collections.abc import Iterator
from datetime import UTC

from django.db.models import QuerySet

from accounts.models import Account, AuditEvent, Membership
from accounts.website import history

A_READ = 500  # rows; no more are in memory
COLUMNS = [
    "time (UTC)", "who", "kind", "address", "what", "verb", "subject", "vault", "number", "sha256",
]  # fmt: skip
# What makes spreadsheets take a text for a formula, full-width forms included.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
# Where numbers have a comma, as in German, Excel cuts lines at semicolons, and then takes no quote
# in the middle of a cell for one.
_CUT = re.compile("([;\t\r\n] *)(?=[=+@\uff1d\uff0b\uff0d\uff20-])")


class _Echo:
    """A file for the csv module that hands back what is written."""

    def write(self, line: str) -> str:
        return line


def rows(account: Account, events: QuerySet[AuditEvent]) -> Iterator[bytes]:
    """Yield the lines of the table, newest first, in UTF-8 with a mark that Excel wants."""
    members = set(Membership.objects.filter(account=account).values_list("user", flat=True))
    yield b"\xef\xbb\xbf" + _line(COLUMNS)
    events = events.select_related("actor").order_by("-pk")
    last: int | None = None
    while True:
        lot = list((events if last is None else events.filter(pk__lt=last))[:A_READ])
        for event in lot:
            yield _line(_cells(event, members))
        if len(lot) < A_READ:
            return
        last = lot[-1].pk


def harmless(text: str) -> str:
    """Return a cell that no spreadsheet takes for a formula, nor for several cells with one."""
    text = _CUT.sub(r"\1'", text)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def _line(cells: list[str]) -> bytes:
    line = csv.writer(_Echo()).writerow([harmless(cell) for cell in cells])
    return str(line).encode("utf-8", "replace")


def _cells(event: AuditEvent, members: set[int]) -> list[str]:
    entry = history.entry(event, members)
    return [
        event.at.astimezone(UTC).isoformat(timespec="seconds"),
        entry.who,
        "staff" if entry.who == history.STAFF else event.actor_kind,
        entry.address,
        entry.what,
        event.verb,
        event.subject,
        entry.vault,
        "" if event.number is None else str(event.number),
        event.digest,
    ]
