"""Notes backups: each snapshot that is stored is a run that ended well; agents report others."""

from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext_noop

from backup_service import clock
from storage.errors import BadRequestError
from storage.events import failures, rows
from storage.models import Credential, Vault, VaultEvent
from storage.vaults import client_runs, expectations
from storage.vaults.access import Access
from storage.vaults.lateness import LOOKED_AT, learnt
from storage.vaults.sequence import Tick

# What an agent may report; never a path or a text of its own, which may name one.
FAILURES = {
    "interrupted": gettext_noop("The backup was interrupted before its end."),
    "refused": gettext_noop("The service refused the backup."),
    "unreachable": gettext_noop("The service could not be reached to the end of the backup."),
    "local": gettext_noop("Something on the computer stopped the backup; its program says what."),
    "locked": gettext_noop(
        "The backup could not get or keep the vault's lock; another program has it."
    ),
    "passphrase": gettext_noop("The passphrase was missing or wrong."),
    "damaged": gettext_noop("The backup found the vault damaged."),
}

# Somebody at the computer did it, or it was shut down; backups that do not come any more are told
# of anyway.
WITNESSED = {"interrupted"}


def added(credential: int, size: int) -> None:
    """Count bytes that a credential (by primary key) added, for its next run's event."""
    Credential.objects.filter(pk=credential).update(added_bytes=F("added_bytes") + size)


def completed(
    vault: Vault, credential: Credential, step: Tick, *, snapshot: str, lock: str = ""
) -> None:
    """Note a snapshot that was stored just now, in the transaction that does so.

    `lock` is the name of the run's lock, if it said so. The bytes are those that its credential
    added since its last snapshot, this one's own among them.
    """
    mine = Credential.objects.filter(pk=credential.pk)
    size = mine.values_list("added_bytes", flat=True).get()
    mine.update(added_bytes=0)
    began = client_runs.began_at(credential, vault, lock=lock)
    rows.add(
        vault.pk,
        VaultEvent.Kind.RUN,
        step.at,
        credential=credential,
        sequence=step.number,
        snapshot=snapshot,
        snapshots=1,
        bytes=size,
        seconds=_seconds(began, step.at),
    )
    _learn(vault)


def _learn(vault: Vault) -> None:
    """Learn from the last runs how often backups come."""
    runs = VaultEvent.objects.filter(vault=vault, kind=VaultEvent.Kind.RUN).order_by("-pk")
    interval = learnt(list(runs.values_list("last_at", flat=True)[:LOOKED_AT]))
    if interval is not None:
        Vault.objects.filter(pk=vault.pk).update(learnt_interval=interval.total_seconds())
    expectations.set_late_from(vault.pk)


def note_unread(vault: Vault, snapshot: str, unread: int) -> None:
    """Note how many paths a run could not read."""
    runs = VaultEvent.objects.filter(vault=vault, kind=VaultEvent.Kind.RUN, snapshot=snapshot)
    runs.update(unread=unread)


@transaction.atomic
def failed(access: Access, code: str) -> None:
    """Note a run that its program reports as failed. Raises BadRequestError for unknown codes."""
    if code not in FAILURES:
        raise BadRequestError(f"`code` must be one of {', '.join(FAILURES)}.")
    now = clock.now()
    rows.count(
        access.vault.pk,
        VaultEvent.Kind.FAILED,
        now,
        key=f"failed:{access.credential.pk}:{code}:{now:%Y-%m-%dT%H}",
        credential=access.credential,
        code=code,
        text=FAILURES[code],
    )
    if code not in WITNESSED:
        failures.tell(access.vault.pk, now, kind=failures.FAILED, code=code, text=FAILURES[code])


def _seconds(began: datetime | None, ended: datetime) -> float | None:
    return None if began is None else max(0.0, (ended - began).total_seconds())
