"""Words events of a vault in sentences that customers understand."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.utils.translation import gettext

from accounts.templatetags.amounts import amount
from storage.models import Credential, Vault, VaultEvent
from storage.rewind import history

Kind = VaultEvent.Kind


@dataclass(frozen=True)
class Happening:
    """One line: what happened, and by which credential (its label, or else its user name).

    `moment` is just before it, where something was removed: what there was then can come back.
    """

    id: int
    kind: str
    at: datetime
    what: str
    credential: str
    moment: datetime | None = None


# What a list may be narrowed to, by the word in its address, with its name.
KINDS: Mapping[str, tuple[Callable[[], str], tuple[VaultEvent.Kind, ...]]] = {
    "": (lambda: gettext("Everything"), tuple(Kind)),
    "backups": (lambda: gettext("Backups"), (Kind.RUN, Kind.FAILED)),
    "trouble": (lambda: gettext("Failures and refusals"), (Kind.FAILED, Kind.REFUSAL)),
    "removals": (
        lambda: gettext("Removals and what came back"),
        (*VaultEvent.REMOVALS, Kind.UNDELETE),
    ),
}


def events_of(vault: Vault, show: str = "") -> QuerySet[VaultEvent]:
    """Return a vault's events, the newest first: all, or those that a word of KINDS names."""
    events = VaultEvent.objects.filter(vault=vault).select_related("credential")
    events = events.order_by("-last_at", "-pk")
    return events.filter(kind__in=KINDS[show][1]) if show in KINDS and show else events


def happenings(events: Iterable[VaultEvent]) -> list[Happening]:
    """Return events, in their order, as they are told."""
    return [
        Happening(
            id=event.pk,
            kind=event.kind,
            at=event.last_at,
            what=sentence(event),
            credential=_called(event.credential),
            moment=_before(event),
        )
        for event in events
    ]


def sentence(event: VaultEvent) -> str:
    """Return what happened, in words."""
    match event.kind:
        case Kind.RUN:
            return _run(event)
        case Kind.FAILED:
            return event.text + _times(event.count)
        case Kind.REFUSAL:
            return f"Refused ({event.status}){_times(event.count)}: {event.text}"
        case Kind.REMOVAL | Kind.WIPE:
            return _removal(event)
        case _:
            return event.text


def _called(credential: Credential | None) -> str:
    return (credential.label or credential.prefix) if credential else ""


def _run(event: VaultEvent) -> str:
    took = f" in {_span(event.seconds)}" if event.seconds is not None else ""
    lacks = f"; {event.unread:,} paths could not be read" if event.unread else ""
    return f"A backup was completed: {amount(event.bytes or 0)} added{took}{lacks}."


def _removal(event: VaultEvent) -> str:
    snapshots, others = event.snapshots or 0, event.count - (event.snapshots or 0)
    parts = [
        f"{number:,} {one if number == 1 else one + 's'}"
        for number, one in ((snapshots, "snapshot"), (others, "other object"))
        if number
    ]
    alarming = " Nothing, or only one snapshot, was left." if event.kind == Kind.WIPE else ""
    verb = "was" if event.count == 1 else "were"
    return f"{' and '.join(parts)} {verb} removed, {amount(event.bytes or 0)}.{alarming}"


def _before(event: VaultEvent) -> datetime | None:
    if event.kind not in VaultEvent.REMOVALS:
        return None
    return history.before(event)


def _times(count: int) -> str:
    return "" if count == 1 else f" {count:,} times"


def _span(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
