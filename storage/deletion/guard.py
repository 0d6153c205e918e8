"""Refuses to destroy anything while the catalogue or the clock is in doubt.

Each region has the catalogue's high-water mark. A database that is behind the mark of a region was
restored from an older copy: what it calls expired or given up may be what customers rely on. Then,
and after a jump of the clock, nothing is destroyed until a reconciliation has run over all regions.
"""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import F

from accounts import audit
from accounts.audit import SERVICE, Actor
from backup_service import clock
from storage.database import elapsed_time
from storage.deletion import journal
from storage.models import Catalogue, Region
from storage.stores.base import RegionError, RegionStore
from storage.stores.registry import store_of

log = logging.getLogger(__name__)
NOTE = "mark"
MARGIN = 1_000_000  # by which a reconciled catalogue passes all that it was before
Doubt = Catalogue.Doubt


class InDoubtError(RegionError):
    """Raised where nothing may be destroyed now; the text says why, and what to do."""


@dataclass(frozen=True)
class Marks:
    """The highest mark that a region has of this catalogue, and which could not be asked."""

    highest: int
    where: str
    heard: list[str]
    silent: list[str]


def require_trust(*, everywhere: bool = False) -> None:
    """Check the clock and the regions' marks; raise InDoubtError if nothing may be destroyed.

    With `everywhere` no region may be silent; one must answer in any case.
    """
    check_clock()
    found = compare_marks()
    require_no_doubt()
    if found.silent and (everywhere or not found.heard):
        raise InDoubtError(
            f"Nothing is removed before these regions can be asked: {', '.join(found.silent)}. "
            "One that will be away for long is taken out of use with `region offline`."
        )


def require_no_doubt() -> None:
    """Raise InDoubtError if a doubt is on record."""
    own = elapsed_time.of_database()
    if own.doubt != Doubt.NONE:
        raise InDoubtError(
            f"{own.doubt_text} Nothing is purged or swept until `manage.py reconcile` has run over "
            "all regions."
        )


def check_clock() -> bool:
    """Check the clock; record a jump as a doubt, and return whether there was one."""
    jump = elapsed_time.observe()
    if jump is not None:
        what = f"The clock went from {jump[0]:%Y-%m-%d %H:%M} to {jump[1]:%Y-%m-%d %H:%M} UTC."
        _doubt(Doubt.CLOCK, what)
    return jump is not None


def keep_marks() -> None:
    """Write the next mark into every region, unless this catalogue is in doubt."""
    compare_marks()
    if elapsed_time.of_database().doubt != Doubt.RESTORED:
        _write_marks()


def _write_marks() -> None:
    """Take the next mark; write it, and the journal, into every region that can be reached."""
    Catalogue.objects.update(mark=F("mark") + 1)
    own = elapsed_time.of_database()
    for region, store in _living():
        try:
            if store is not None:
                journal.write(region, store, own.mark)
                store.write_note(NOTE, _text(own))
        except RegionError as error:
            log.warning("region %s has no new mark: %s", region.alias, error)


def is_restored() -> bool:
    """Return whether this database is known to be older than a region's mark."""
    return elapsed_time.of_database().doubt == Doubt.RESTORED


def missed() -> list[journal.Entry]:
    """Return the regions' journal entries from after this database was copied.

    Raises RegionError if a region cannot tell.
    """
    own = elapsed_time.of_database()
    entries: list[journal.Entry] = []
    for region, store in _living():
        entries += journal.read(store or store_of(region), own.mark)
    return entries


def settle(actor: Actor, *, seen: int) -> None:
    """Clear every doubt after a reconciliation of all regions, whose highest mark was `seen`."""
    own = elapsed_time.of_database()
    Catalogue.objects.filter(pk=own.pk).update(
        doubt=Doubt.NONE, doubt_text="", doubted_at=None, mark=max(own.mark, seen) + MARGIN
    )
    if own.doubt != Doubt.NONE:
        audit.record(actor, "catalogue.trust", "the catalogue", text=own.doubt_text)
    _write_marks()


def marks() -> Marks:
    """Ask every region that is in use for its mark."""
    highest, where = 0, ""
    heard: list[str] = []
    silent: list[str] = []
    for region, store in _living():
        mark = _read(store) if store is not None else None
        (silent if mark is None else heard).append(region.alias)
        if mark is not None and mark > highest:
            highest, where = mark, region.alias
    return Marks(highest, where, heard, silent)


def compare_marks() -> Marks:
    """Compare the regions' marks with ours; record a doubt if a region is ahead."""
    found = marks()
    # Read after them: whoever writes a mark has committed it before.
    if found.highest > elapsed_time.of_database().mark:
        _doubt(
            Doubt.RESTORED,
            f"The database is older than what region {found.where} has seen of it: it was "
            "restored from an older copy.",
        )
    return found


def _living() -> Iterator[tuple[Region, RegionStore | None]]:
    """Yield the regions that are in use, each with its store, or None if that cannot be reached."""
    left_alone = [Region.Status.OFFLINE, Region.Status.STRUCK, Region.Status.REMOVED]
    for region in Region.objects.exclude(status__in=left_alone).exclude(instance=""):
        try:
            yield region, store_of(region)
        except RegionError:
            yield region, None


def _read(store: RegionStore) -> int | None:
    """Return a region's mark: 0 if it has none yet, None if it cannot be read."""
    try:
        note = store.read_note(NOTE)
    except RegionError as error:
        log.warning("a region's mark cannot be read: %s", error)
        return None
    if note is None:
        return 0
    try:
        told: dict[str, Any] = json.loads(note)
        return int(told["mark"])
    except (ValueError, KeyError, TypeError):
        log.error("region %s has a mark that is none", store.alias)
        return None


def _text(own: Catalogue) -> bytes:
    at = clock.now().isoformat()
    return json.dumps({"catalogue": own.identity, "mark": own.mark, "at": at}).encode()


def _doubt(kind: Catalogue.Doubt, text: str) -> None:
    """Record a doubt; one about a restored database replaces one about the clock."""
    weaker = [Doubt.NONE, Doubt.CLOCK] if kind == Doubt.RESTORED else [Doubt.NONE]
    noted = Catalogue.objects.filter(pk=1, doubt__in=weaker).update(
        doubt=kind, doubt_text=text, doubted_at=clock.now()
    )
    if noted:
        log.critical("nothing is destroyed any more: %s", text)
        audit.record(SERVICE, "catalogue.doubt", "the catalogue", text=text)


def is_of_clock_alone() -> bool:
    """Return whether a jump of the clock is all that is in doubt."""
    return elapsed_time.of_database().doubt == Doubt.CLOCK
