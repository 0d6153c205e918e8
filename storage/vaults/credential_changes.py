"""Replaces a credential by a new one, and opens the window in which one may change keys."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext

from accounts import audit
from accounts.audit import SERVICE, Actor
from backup_service import clock
from storage.models import Credential
from storage.vaults import credentials, sequence
from storage.vaults.credentials import NewCredential

LONGEST_OVERLAP = timedelta(days=30)
PAGE = 100  # credentials that are ended at a time


class NotInUseError(Exception):
    """Raised for a credential that was revoked or replaced. The text is for the customer."""


@transaction.atomic
def rotate(credential: Credential, *, overlap: timedelta, actor: Actor) -> NewCredential:
    """Make another credential that may do the same, and end this one after `overlap`.

    Raises NotInUseError, TooManyCredentialsError, or ValueError for an overlap that is too long.
    """
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise ValueError(f"{overlap} is out of bounds")
    sequence.lock(credential.vault)
    now = clock.now()
    ending = Credential.objects.filter(pk=credential.pk, revoked_at=None, ends_at=None)
    if not ending.update(ends_at=now + overlap):
        raise NotInUseError(gettext("This credential was revoked or replaced already."))
    if not overlap:
        credentials.revoke(credential, actor=actor)
    made = credentials.create(
        credential.vault,
        scope=credential.scope,
        actor=actor,
        device=credential.device,
        with_setup=credential.has_setup_right(now),
        label=credential.label,
    )
    if made.credential.setup_until:  # that goes on, and no longer than the old one had it
        made.credential.setup_until = credential.setup_until
        made.credential.save(update_fields=["setup_until"])
    audit.record(
        actor,
        "credential.replace",
        credential.prefix,
        account=credential.vault.account,
        vault=credential.vault.public_id,
        by=made.credential.prefix,
        hours=int(overlap.total_seconds()) // 3600,
    )
    return made


def end_replaced() -> int:
    """Revoke credentials that were replaced and whose time is over; return how many."""
    over = Credential.objects.filter(revoked_at=None, ends_at__lte=clock.now())
    ended = list(over.select_related("vault__account").order_by("ends_at", "pk")[:PAGE])
    for credential in ended:
        credentials.revoke(credential, actor=SERVICE)
    return len(ended)


def key_window_minutes() -> int:
    """Return for how long a window for keys stays open."""
    return int(settings.KEY_WINDOW.total_seconds()) // 60


@transaction.atomic
def open_key_window(credential: Credential, *, actor: Actor) -> None:
    """Let a credential, and no other one of its vault, change keys for a short while.

    Raises NotInUseError for one that may not write or is in use no more.
    """
    sequence.lock(credential.vault)
    now = clock.now()
    mine = Credential.objects.in_use(now).filter(pk=credential.pk)
    opened = mine.exclude(scope=Credential.Scope.RESTORE).update(
        keys_until=now + settings.KEY_WINDOW
    )
    if not opened:
        raise NotInUseError(
            gettext("This credential cannot change keys: it only restores, or has ended.")
        )
    others = Credential.objects.filter(vault=credential.vault_id).exclude(pk=credential.pk)
    others.exclude(keys_until=None).update(keys_until=None)
    _record("credential.open-keys", credential, actor)


@transaction.atomic
def close_key_window(credential: Credential, *, actor: Actor) -> None:
    """End the window of a credential, if it is open."""
    sequence.lock(credential.vault)
    is_open = Credential.objects.filter(pk=credential.pk, keys_until__gt=clock.now())
    if is_open.update(keys_until=None):
        _record("credential.close-keys", credential, actor)


def _record(verb: str, credential: Credential, actor: Actor) -> None:
    account, vault = credential.vault.account, credential.vault.public_id
    audit.record(actor, verb, credential.prefix, account=account, vault=vault)
