"""Authenticates a request's credential and authorizes what it may do in its vault."""

import base64
import binascii
from dataclasses import dataclass

from backup_service import clock
from billing.actions import entitlements_of
from billing.entitlements import Entitlements
from storage.errors import DeletingError, ForbiddenError, UnauthenticatedError, UnknownError
from storage.models import Credential, Vault
from storage.object_names import ObjectType
from storage.vaults import credentials, quota

SET_UP_ONCE = {ObjectType.CONFIG, ObjectType.KEY}


@dataclass(frozen=True)
class Access:
    """An authenticated credential at its own vault."""

    credential: Credential
    vault: Vault
    entitlements: Entitlements

    def renewed(self) -> "Access":
        """Return this access as it stands now, after an upload.

        Raises UnauthenticatedError if the credential was revoked meanwhile.
        """
        credential = Credential.objects.select_related("vault__account").get(pk=self.credential.pk)
        if not credential.is_in_use(clock.now()):
            raise UnauthenticatedError(
                "This credential was revoked meanwhile; nothing was stored. Make a new one on the "
                "website."
            )
        account = credential.vault.account
        return Access(credential, credential.vault, entitlements_of(account))

    @property
    def allowance(self) -> quota.Allowance:
        """How many bytes may be charged on behalf of this credential."""
        if self.credential.scope == Credential.Scope.MAINTAIN:
            return quota.Allowance.for_upkeep(self.entitlements.quota)
        return quota.Allowance(self.entitlements.quota)

    def require_read(self) -> None:
        """Raise ForbiddenError where even restores have ended, or DeletingError."""
        if not self.entitlements.may_restore:
            raise ForbiddenError(self.entitlements.reason)
        self._require_kept()

    def require_create(self, kind: ObjectType) -> None:
        """Raise ForbiddenError unless an object of this type may be added."""
        if kind is ObjectType.LOCK:
            return
        self._require_open()
        if self.credential.scope == Credential.Scope.RESTORE:
            raise ForbiddenError(
                "This credential can only restore. To back up, use one of scope backup."
            )
        if kind in SET_UP_ONCE:
            self._require_setup(kind)

    def require_remove(self, kind: ObjectType) -> None:
        """Raise ForbiddenError unless an object of this type may be tombstoned."""
        if kind is ObjectType.LOCK:
            return
        if kind is ObjectType.CONFIG:
            raise ForbiddenError("A vault's config is never removed.")
        if not self.entitlements.may_remove:
            raise ForbiddenError(self.entitlements.reason)
        if kind is ObjectType.KEY and self.credential.scope != Credential.Scope.RESTORE:
            self._require_setup(kind)
        elif self.credential.scope != Credential.Scope.MAINTAIN:
            raise ForbiddenError(
                "This credential cannot remove backups. Use one of scope maintain, "
                "made on the website."
            )

    def require_setup_right(self) -> None:
        """Raise ForbiddenError unless this vault may still be set up by this credential."""
        self.require_create(ObjectType.CONFIG)

    def _require_open(self) -> None:
        if not self.entitlements.may_store:
            raise ForbiddenError(self.entitlements.reason)
        self._require_kept()
        if self.vault.state == Vault.State.READ_ONLY:
            raise ForbiddenError("This vault is read-only; restores work.")

    def _require_kept(self) -> None:
        """Raise DeletingError for a vault that is to go: what it held must not seem unknown."""
        if self.vault.deletion_asked_at is not None:
            raise DeletingError(
                "This vault is being deleted, as was asked on its page, which can also keep it: "
                "everything in it comes back then."
            )

    def _require_setup(self, kind: ObjectType) -> None:
        now = clock.now()
        if self.vault.is_new or self.credential.has_setup_right(now):
            return
        if kind is ObjectType.KEY and self.credential.has_key_window(now):
            return
        raise ForbiddenError(
            f"The {'keys' if kind is ObjectType.KEY else 'config'} of this vault can no longer be "
            "written with this credential: it was set up, and the right to do that ends with the "
            "first snapshot, or an hour after the vault was made."
            + (
                " On the vault's page an owner can let a credential change keys for a while."
                if kind is ObjectType.KEY
                else ""
            )
        )


def open_vault(authorization: str | None, vault_id: str) -> Access:
    """Return the access that an Authorization header gives to the vault of an address.

    Raises UnauthenticatedError, or UnknownError for every vault that is not the credential's own.
    """
    credential = credentials.recognise(*_basic(authorization))
    if credential is None:
        raise UnauthenticatedError(
            "Unknown or revoked credential. Check the user name and secret, or make a new "
            "credential on the website."
        )
    if credential.vault.public_id != vault_id:
        raise UnknownError("This credential knows no such vault.")
    credentials.mark_used(credential)
    return Access(credential, credential.vault, entitlements_of(credential.vault.account))


def known_caller(authorization: str | None, vault_id: str) -> Credential | None:
    """Return the credential that a request names at its own vault, whatever it says as its secret.

    For the record of what was refused alone: it opens nothing.
    """
    try:
        prefix, _ = _basic(authorization)
    except UnauthenticatedError:
        return None
    named = Credential.objects.filter(prefix=prefix, vault__public_id=vault_id)
    return named.select_related("vault__account").first()


def _basic(authorization: str | None) -> tuple[str, str]:
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        raise UnauthenticatedError(
            "This address wants a credential: user name and secret, as HTTP basic authentication."
        )
    try:
        pair = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise UnauthenticatedError("The Authorization header cannot be read.") from error
    prefix, _, secret = pair.partition(":")
    if "\x00" in prefix:
        raise UnauthenticatedError("The Authorization header cannot be read.")
    return prefix, secret
