"""Words events of a vault in sentences that customers understand."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.utils.translation import gettext, ngettext

from accounts.templatetags.amounts import amount, number
from storage.events.refusal_wording import refusal_in_words
from storage.events.undelete_wording import outcome_in_words
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
            return gettext(event.text) + _times(event.count)
        case Kind.REFUSAL:
            said = {"times": _times(event.count), "text": refusal_in_words(event.text)}
            return gettext("Refused%(times)s: %(text)s") % said
        case Kind.REMOVAL | Kind.WIPE:
            return _removal(event)
        case _:
            return outcome_in_words(event.text)


def _called(credential: Credential | None) -> str:
    return (credential.label or credential.prefix) if credential else ""


def _run(event: VaultEvent) -> str:
    size = amount(event.bytes or 0)
    if event.seconds is None:
        said = gettext("A backup was completed: %(size)s added") % {"size": size}
    else:
        took = {"size": size, "time": _span(event.seconds)}
        said = gettext("A backup was completed: %(size)s added in %(time)s") % took
    if event.unread:
        lacks = ngettext(
            "%(count)s path could not be read", "%(count)s paths could not be read", event.unread
        )
        said += "; " + lacks % {"count": number(event.unread)}
    return said + "."


def _removal(event: VaultEvent) -> str:
    snapshots, others = event.snapshots or 0, event.count - (event.snapshots or 0)
    parts = []
    if snapshots:
        words = ngettext("%(count)s snapshot", "%(count)s snapshots", snapshots)
        parts.append(words % {"count": number(snapshots)})
    if others:
        words = ngettext("%(count)s other object", "%(count)s other objects", others)
        parts.append(words % {"count": number(others)})
    size = amount(event.bytes or 0)
    said = ngettext(
        "%(what)s was removed, %(size)s.", "%(what)s were removed, %(size)s.", event.count
    )
    said %= {"what": gettext(" and ").join(parts), "size": size}
    if event.kind == Kind.WIPE:
        said += " " + gettext("Nothing, or only one snapshot, was left.")
    return said


def _before(event: VaultEvent) -> datetime | None:
    if event.kind not in VaultEvent.REMOVALS:
        return None
    return history.before(event)


def _times(count: int) -> str:
    return "" if count == 1 else " " + gettext("%(count)s times") % {"count": number(count)}


def _span(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return (
        gettext("%(minutes)s min") % {"minutes": minutes}
        if minutes < 60
        else gettext("%(minutes)s h %(minutes2)s min")
        % {"minutes": minutes // 60, "minutes2": minutes % 60}
    )
