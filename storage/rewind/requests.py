"""Plans an undelete, and puts it on the work list. Workers do it: see `rewind/worker.py`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, Q, Sum, Value
from django.db.models.functions import Greatest
from django.utils import translation
from django.utils.translation import gettext

from accounts import audit
from accounts.audit import Actor
from accounts.templatetags.amounts import number
from accounts.templatetags.words import EVERYTHING, OF_CREDENTIAL, chosen_snapshots
from backup_service import clock
from billing.actions import entitlements_of
from storage import wakeups
from storage.errors import RefusedError
from storage.models import Credential, Lifetime, StoredObject, Undelete, Usage, Vault
from storage.object_names import ObjectType
from storage.rewind.selection import ORDER, Selection, State, Type, last_steps
from storage.vaults import quota, sequence

MOST_SNAPSHOTS = 100  # chosen at a time; more come back with the whole vault
SHORTEST = 6  # characters of a snapshot's name that are looked for
NAMED = 20
_NAME = re.compile(rf"[0-9a-f]{{{SHORTEST},64}}", re.ASCII)


class UndeleteError(RefusedError):
    """What is asked for cannot be brought back. The text says why, and what can be."""


@dataclass(frozen=True)
class Wanted:
    """What to bring back: all of a moment, or chosen snapshots, or what a credential removed.

    `snapshots` are names or their beginnings. `credential` is a user name; with it `moment` is the
    beginning of what is undone.
    """

    moment: datetime | None = None
    snapshots: Sequence[str] = ()
    credential: str = ""


@dataclass(frozen=True)
class Plan:
    """What would come back now. `bytes` are the objects' own, `cost` what they count for.

    `purged` objects are gone for good, the first of them `purged_names`. `keys_left_out` stay
    removed. `over` is by how many bytes the account would be over its quota.
    """

    objects: int
    snapshots: int
    bytes: int
    cost: int
    purged: int
    purged_names: tuple[str, ...]
    keys_left_out: int
    over: int


def plan(vault: Vault, wanted: Wanted) -> Plan:
    """Say what would come back. Raises UndeleteError."""
    return _plan(_selection(vault, wanted))


@transaction.atomic
def request(vault: Vault, wanted: Wanted, *, actor: Actor) -> Undelete:
    """Have it brought back; the row says how far it is. Raises UndeleteError."""
    vault = sequence.lock(vault)
    if vault.account.is_closed:
        raise UndeleteError(
            gettext("This account is closed. Open it again first, in the settings.")
        )
    if Undelete.objects.filter(vault=vault, ended_at=None).exists():
        raise UndeleteError(
            gettext("Something is being brought back into this vault already. Wait for it.")
        )
    if vault.deletion_asked_at is not None:
        raise UndeleteError(gettext("This vault is being deleted. Keep it first, on its page."))
    selection = _selection(vault, wanted)
    planned = _plan(selection)
    if not planned.objects:
        raise UndeleteError(_nothing(planned))
    row = Undelete.objects.create(
        vault=vault,
        actor=actor.user,
        actor_label=_called(actor),
        moment=selection.moment,
        snapshots=list(selection.snapshots),
        sequences=list(selection.sequences),
        credential=selection.credential,
        removed_before=selection.removed_before,
        expected=planned.objects,
    )
    audit.record(
        actor,
        "vault.undelete",
        vault.public_id,
        account=vault.account,
        what=on_record(row),
        objects=planned.objects,
        snapshots=planned.snapshots,
    )
    wakeups.undeletes()
    return row


def _called(actor: Actor) -> str:
    """Return who asked, saying of a program that it is one."""
    if actor.kind is actor.kind.TOKEN:
        return f"the API token {actor.credential} (“{actor.label}”)"
    return actor.label


def described(row: Undelete) -> str:
    """Return in words what a row brings back."""
    moment = f"{row.moment:%Y-%m-%d %H:%M:%S} UTC" if row.moment else ""
    if row.credential is not None:
        by = {"credential": row.credential.prefix, "moment": moment}
        return gettext(OF_CREDENTIAL) % by
    if row.snapshots:
        return chosen_snapshots(len(row.snapshots), moment)
    return gettext(EVERYTHING) % {"moment": moment}


def on_record(row: Undelete) -> str:
    """Return what a row brings back as the audit log has it, whoever reads that."""
    with translation.override(settings.LANGUAGE_CODE):
        return described(row)


def _selection(vault: Vault, wanted: Wanted) -> Selection:
    now = max(clock.database_now(), vault.sequence_at)
    moment = wanted.moment
    if moment is None and not wanted.snapshots:
        raise UndeleteError(gettext("Say to which moment, or which snapshots."))
    if moment is not None:
        _require_in_reach(moment, now)
    credential = _credential(vault, wanted.credential) if wanted.credential else None
    if credential is not None and wanted.snapshots:
        raise UndeleteError(gettext("Choose snapshots, or what a credential removed, not both."))
    names = _names(vault, wanted.snapshots)
    if moment is not None:
        _require_there(vault, names, moment)
    steps = last_steps(vault, names) if names and moment is None else []
    return Selection(
        vault=vault,
        removed_before=now,
        moment=moment,
        snapshots=tuple(names),
        sequences=tuple(steps),
        credential=credential,
    )


def _require_in_reach(moment: datetime, now: datetime) -> None:
    if moment > now:
        raise UndeleteError(gettext("That moment has not come yet."))
    if moment < now - settings.GRACE:
        raise UndeleteError(
            gettext(
                "What is removed is kept for %(days)s days, so nothing can be brought back to "
                "a moment before that. Choose a later one."
            )
            % {"days": settings.GRACE.days}
        )


def _require_there(vault: Vault, names: Sequence[str], moment: datetime) -> None:
    lives = Lifetime.objects.filter(
        Q(to_at=None) | Q(to_at__gt=moment),
        object__vault=vault,
        object__type=Type.SNAPSHOT,
        object__name__in=names,
        from_at__lte=moment,
    )
    there = set(lives.values_list("object__name", flat=True))
    missing = [name for name in names if name not in there]
    if missing:
        raise UndeleteError(
            gettext("The snapshot %(missing)s was not there at that moment.")
            % {"missing": missing[0]}
        )


def _credential(vault: Vault, prefix: str) -> Credential:
    found = Credential.objects.filter(vault=vault, prefix=prefix).first()
    if found is None:
        raise UndeleteError(
            gettext("This vault has no credential %(prefix)s.") % {"prefix": prefix}
        )
    return found


def _names(vault: Vault, wanted: Sequence[str]) -> list[str]:
    if len(wanted) > MOST_SNAPSHOTS:
        raise UndeleteError(
            gettext(
                "At most %(most_snapshots)s snapshots are chosen at a time; bring back the "
                "whole vault for more."
            )
            % {"most_snapshots": MOST_SNAPSHOTS}
        )
    snapshots = StoredObject.objects.filter(vault=vault, type=ObjectType.SNAPSHOT)
    names = []
    for word in dict.fromkeys(wanted):
        if not _NAME.fullmatch(word):
            raise UndeleteError(
                gettext("A snapshot is named by at least %(shortest)s of its hexadecimal digits.")
                % {"shortest": SHORTEST}
            )
        found = list(snapshots.filter(name__startswith=word, state=State.TOMBSTONED)[:2])
        if len(found) == 1:
            names.append(found[0].name)
        elif found:
            raise UndeleteError(
                gettext("Several removed snapshots begin with %(word)s; say more of it.")
                % {"word": word}
            )
        else:
            is_there = snapshots.live().filter(name__startswith=word).exists()
            raise UndeleteError(_no_snapshot(word, is_there=is_there))
    return names


def _no_snapshot(word: str, *, is_there: bool) -> str:
    if is_there:
        return gettext("The snapshot %(word)s has not been removed.") % {"word": word}
    return gettext(
        "No snapshot %(word)s was removed from this vault within the time that it is kept."
    ) % {"word": word}


def _plan(selection: Selection) -> Plan:
    count = total = cost = snapshots = 0
    for kind in ORDER:
        found = selection.removed(kind).aggregate(
            n=Count("pk"),
            bytes=Sum("size", default=0),
            cost=Sum(Greatest(F("size"), Value(quota.FLOOR)), default=0),
        )
        count, total, cost = count + found["n"], total + found["bytes"], cost + found["cost"]
        snapshots += found["n"] if kind == Type.SNAPSHOT else 0
    gone = purged_count(selection)
    names = selection.purged().order_by("pk").values_list("type", "name")[:NAMED]
    return Plan(
        objects=count,
        snapshots=snapshots,
        bytes=total,
        cost=cost,
        purged=gone,
        purged_names=tuple(f"{kind}/{name}" for kind, name in names),
        keys_left_out=selection.keys_left_out(),
        over=_over(selection.vault, cost),
    )


def purged_count(selection: Selection) -> int:
    """Return how many objects that are wanted are gone for good."""
    return selection.purged().order_by().values("type", "name").distinct().count()


def _over(vault: Vault, cost: int) -> int:
    """Return by how many bytes the account would be over its quota."""
    usage = Usage.objects.filter(account=vault.account_id).first() or Usage()
    most = entitlements_of(vault.account).quota
    usage.live_bytes += cost
    usage.tombstoned_bytes -= cost
    return max(0, usage.charged(most) - most)


def _nothing(planned: Plan) -> str:
    if planned.purged:
        return gettext(
            "Nothing can be brought back: %(purged)s objects of that moment are gone for "
            "good, since their time was over."
        ) % {"purged": number(planned.purged)}
    return gettext(
        "Nothing was removed since that moment that is not there again: there is nothing to do."
    )
