"""Creates, recognises and revokes credentials. A secret is shown once and stored as a hash.

A secret has 256 random bits, so a fast hash is as good as a slow one and costs uploads nothing.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext

from accounts import audit
from accounts.audit import Actor
from accounts.ids import new_public_id
from accounts.notifications.notify import notify
from accounts.notifications.wording import iso
from backup_service import clock
from storage.models import Credential, Vault
from storage.vaults import sequence

if TYPE_CHECKING:
    from accounts.models import Device

# Unknown user names cost the same comparison as known ones.
_NOBODY = hashlib.sha256(b"nobody").hexdigest()
_USED_EVERY = timedelta(minutes=1)


MOST_IN_USE = 50  # credentials of a vault


class TooManyCredentialsError(Exception):
    """The vault has as many credentials in use as one may have. The text is for the customer."""


@dataclass(frozen=True)
class NewCredential:
    """A credential just made, with the secret that nobody will see again."""

    credential: Credential
    secret: str

    def __repr__(self) -> str:
        return f"NewCredential({self.credential.prefix})"


@transaction.atomic
def create(
    vault: Vault,
    *,
    scope: str,
    actor: Actor,
    device: "Device | None" = None,
    with_setup: bool = False,
    secret: str = "",
    label: str = "",
) -> NewCredential:
    """Make a credential for `vault`, with a random secret unless one (of 256 bits) is given.

    It ends with the `device` that it is made for; without one it is nobody's in particular, and
    only its own revocation ends it. Raises ValueError for an unknown scope, or
    TooManyCredentialsError.
    """
    scope = Credential.Scope(scope)
    require_room(sequence.lock(vault))
    secret = secret or secrets.token_urlsafe(32)
    credential = Credential.objects.create(
        vault=vault,
        device=device,
        prefix=f"ns{new_public_id()[:14]}",
        secret_sha256=_hash(secret),
        scope=scope,
        label=label,
        setup_until=clock.now() + settings.SETUP_RIGHT if with_setup else None,
    )
    audit.record(
        actor,
        "credential.create",
        credential.prefix,
        account=vault.account,
        vault=vault.public_id,
        scope=scope,
        setup=with_setup,
    )
    _tell(credential, actor)
    return NewCredential(credential, secret)


def require_room(vault: Vault) -> None:
    """Raise TooManyCredentialsError if a vault can have no further credential."""
    if Credential.objects.filter(vault=vault, revoked_at=None).count() >= MOST_IN_USE:
        raise TooManyCredentialsError(
            gettext(
                "A vault has at most %(most_in_use)s credentials in use. Revoke one that nothing "
                "uses."
            )
            % {"most_in_use": MOST_IN_USE}
        )


def _tell(credential: Credential, actor: Actor) -> None:
    """Tell the account's people that somebody can get into a vault now."""
    vault = credential.vault
    notify(
        vault.account,
        "new-credential",
        key=f"credential:{credential.prefix}",
        vault=vault.public_id,
        name=vault.name,
        username=credential.prefix,
        may=credential.get_scope_display(),
        by=actor.label,
        at=iso(credential.created_at),
    )


def recognise(prefix: str, secret: str) -> Credential | None:
    """Return the credential that this pair opens, or None. Compares in constant time."""
    named = Credential.objects.in_use(clock.now()).filter(prefix=prefix)
    credential = named.select_related("vault__account", "device").first()
    kept = credential.secret_sha256 if credential else _NOBODY
    return credential if hmac.compare_digest(kept, _hash(secret)) else None


def mark_used(credential: Credential) -> None:
    """Remember that a credential was used, to the minute: not every request is a write."""
    now = clock.now()
    if credential.last_used_at is None or credential.last_used_at < now - _USED_EVERY:
        Credential.objects.filter(pk=credential.pk).update(last_used_at=now)


@transaction.atomic
def rename(credential: Credential, *, label: str, actor: Actor) -> None:
    """Call a credential otherwise; what it signs in with stays."""
    before = credential.label
    changed = Credential.objects.filter(pk=credential.pk).exclude(label=label).update(label=label)
    if changed:
        credential.label = label
        audit.record(
            actor,
            "credential.rename",
            credential.prefix,
            account=credential.vault.account,
            vault=credential.vault.public_id,
            label=label,
            before=before,
        )


@transaction.atomic
def revoke(credential: Credential, *, actor: Actor) -> None:
    """End a credential at once. What it stored stays, and what it is sending is not stored."""
    sequence.lock(credential.vault)  # so that no upload goes on record after this
    revoked = Credential.objects.filter(pk=credential.pk, revoked_at=None).update(
        revoked_at=clock.now(), setup_until=None, keys_until=None
    )
    if revoked:
        audit.record(
            actor,
            "credential.revoke",
            credential.prefix,
            account=credential.vault.account,
            vault=credential.vault.public_id,
        )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
