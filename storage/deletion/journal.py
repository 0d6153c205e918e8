"""Writes the append-only journal of removals to every region.

Each note holds what was removed, brought back or purged since the one before, under the number of
the catalogue's mark at that time. So of an older database that was restored it can be told, from
the notes with higher numbers, what has happened since.
"""

import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from backup_service import clock
from storage.models import JournalEntry, Region
from storage.stores.base import RegionStore, RegionUnavailableError

log = logging.getLogger(__name__)
WORD = "journal"
MOST = 4000  # entries in a note, which has 4 MiB at most
# Entries as young as this are written again with the next note: on PostgreSQL one with a smaller
# number may have been committed meanwhile.
YOUNG = timedelta(minutes=2)


@dataclass(frozen=True)
class Entry:
    """One removal, revival or purge, as recorded in a note."""

    kind: str
    vault: str
    type: str
    name: str
    sequence: int
    attempts: tuple[str, ...] = ()


def write(region: Region, store: RegionStore, mark: int) -> int:
    """Write the entries that a region lacks, up to one note full; return how many.

    Raises RegionError. `mark` is the catalogue's, and no note has it yet.
    """
    entries = list(
        JournalEntry.objects.filter(pk__gt=region.journal_cursor)
        .select_related("vault")
        .order_by("pk")[:MOST]
    )
    if not entries:
        return 0
    told = [
        [one.kind, one.vault.public_id, one.type, one.name, one.sequence, one.attempts]
        for one in entries
    ]
    content = json.dumps({"mark": mark, "entries": told}, separators=(",", ":")).encode()
    store.write_note(f"{WORD}/{mark:020d}", content, once=True)
    settled = clock.now() - YOUNG
    old = [one.pk for one in entries if one.at < settled]
    if old:
        Region.objects.filter(pk=region.pk).update(journal_cursor=old[-1])
    return len(entries)


def read(store: RegionStore, after: int) -> Iterator[Entry]:
    """Yield the entries of a region's notes above a mark. Raises RegionError."""
    for name in store.list_notes(WORD):
        if int(name.partition("/")[2]) > after:
            yield from _entries(store, name)


def last_words(entries: Iterable[Entry]) -> dict[tuple[str, str, str], Entry]:
    """Return the last entry about each object (vault, type, name)."""
    last: dict[tuple[str, str, str], Entry] = {}
    for entry in entries:
        key = (entry.vault, entry.type, entry.name)
        if key not in last or last[key].sequence < entry.sequence:
            last[key] = entry
    return last


def _entries(store: RegionStore, name: str) -> Iterator[Entry]:
    note = store.read_note(name)
    try:
        told = json.loads(note or b"")["entries"]
        for kind, vault, type_, object_name, sequence, attempts in told:
            yield Entry(kind, vault, type_, object_name, int(sequence), tuple(attempts))
    except (ValueError, KeyError, TypeError) as error:
        raise RegionUnavailableError(
            f"Region {store.alias} has a note of the journal that cannot be read: {name}"
        ) from error
