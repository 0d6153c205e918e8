"""Tells an account's people that a backup was refused, or failed: at once, then once a day.

A backup that succeeds ends it, so that the next failure is told of at once again; but where one
computer succeeds and another one fails in turn, not more than once an hour.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext, gettext_noop

from accounts.notifications.letter import Letter, Link
from accounts.notifications.notify import notify
from accounts.notifications.registry import Values, register
from accounts.notifications.wording import iso, minute_of
from accounts.topics import Topic
from storage.events.refusal_wording import refusal_in_words
from storage.models import FailureNotice, Vault
from storage.vaults.expectations import is_expected

REFUSED, FAILED = "backup-refused", "backup-failed"
AGAIN = timedelta(days=1)
AT_LEAST = timedelta(hours=1)
# What to do, by the reason's code; nothing for those whose own text says it.
ADVICE = {
    "over-quota": gettext_noop(
        "Choose a larger plan, or remove old snapshots and prune. Backups go on by "
        "themselves once there is room."
    ),
    "unauthenticated": gettext_noop(
        "Make a new credential on the vault's page and give it to the computer, or "
        "connect it anew with `nightsafe login`. If you revoked the old one on purpose, retire the "
        "computer."
    ),
    "forbidden": gettext_noop(
        "Look at the vault's page: it says which credential was used and what it may do."
    ),
    "stale": gettext_noop("Run the backup once more; it reads the vault anew and then succeeds."),
    "too-many": gettext_noop("Look at the vault's page for what there is too much of."),
    "unreachable": gettext_noop(
        "Is the computer's network slow or interrupted? Run the backup once more."
    ),
    "local": gettext_noop(
        "Run `nightsafe backup` by hand on the computer: it says what stands in its way."
    ),
    "locked": gettext_noop(
        "If no other backup runs, remove the left-over lock with `nightsafe unlock` or "
        "`restic unlock`."
    ),
    "passphrase": gettext_noop(
        "Give the program the passphrase that the vault was set up with. Nobody here knows it."
    ),
    "damaged": gettext_noop(
        "Run `nightsafe check` or `restic check` on the computer: it says what is damaged."
    ),
}
DEFAULT_ADVICE = gettext_noop(
    "Run the backup once more by hand. If it is refused again, write to us."
)


def is_due(*, told_at: datetime | None, last_backup: datetime | None, now: datetime) -> bool:
    """Return whether people are to be told of a failure at `now`."""
    if told_at is None or now - told_at >= AGAIN:
        return True
    return last_backup is not None and last_backup > told_at and now - told_at >= AT_LEAST


def tell(vault_id: int, now: datetime, *, kind: str, code: str, text: str) -> bool:
    """Have a vault's people told of a failure if that is due; return whether it was.

    Call it in the transaction that notes the failure. `code` says why for programs, `text` for
    people.
    """
    found = Vault.objects.select_related("account", "device", "failure_notice")
    vault = found.get(pk=vault_id)
    if not _has_readers(vault) or not _claim(vault, now):
        return False
    notify(
        vault.account,
        kind,
        key=f"failure:{vault.public_id}:{now:%Y%m%d%H%M%S}",
        device=vault.device,
        vault=vault.public_id,
        name=vault.name,
        code=code,
        text=text,
        at=iso(now),
    )
    return True


def _has_readers(vault: Vault) -> bool:
    """Whether anybody expects backups of this vault."""
    is_going = vault.closed_at is not None or vault.deletion_asked_at is not None
    return not is_going and not vault.account.is_closed and is_expected(vault)


def _claim(vault: Vault, now: datetime) -> bool:
    """Note that people are told now, unless they were, or somebody else does."""
    row: FailureNotice | None = getattr(vault, "failure_notice", None)
    told_at = row.told_at if row else None
    if not is_due(told_at=told_at, last_backup=vault.last_snapshot_at, now=now):
        return False
    if row is not None:
        mine = FailureNotice.objects.filter(pk=row.pk, told_at=row.told_at)
        return bool(mine.update(told_at=now))
    try:
        with transaction.atomic():
            FailureNotice.objects.create(vault=vault, told_at=now)
    except IntegrityError:  # another process was first
        return False
    return True


@register(REFUSED, Topic.BACKUPS)
def refused(values: Values) -> Letter:
    """Word a refusal by the service."""
    return _letter(values, gettext("A backup of “%(name)s” was refused") % {"name": values["name"]})


@register(FAILED, Topic.BACKUPS)
def failed(values: Values) -> Letter:
    """Word a failure that a computer reported."""
    return _letter(values, gettext("A backup of “%(name)s” failed") % {"name": values["name"]})


def _letter(values: Values, subject: str) -> Letter:
    return Letter(
        subject=subject,
        lines=[
            refusal_in_words(values["text"]),
            gettext(ADVICE.get(values["code"], DEFAULT_ADVICE)),
            gettext(
                "What was backed up before is safe and can be restored. While this lasts you are "
                "told once a day; a backup that succeeds ends it."
            ),
        ],
        facts=[(gettext("Vault"), values["name"]), (gettext("When"), minute_of(values["at"]))],
        link=_page(values),
        is_urgent=True,
    )


def _page(values: Values) -> Link:
    if values["code"] == "over-quota":
        return Link(gettext("See plan and room"), f"{settings.SITE_URL}/billing/")
    return Link(gettext("Open the vault's page"), f"{settings.SITE_URL}/vaults/{values['vault']}/")
