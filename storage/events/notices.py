"""Tells an account's people what happened in a vault: the one place from which events do so.

A notice is asked for inside the transaction of what it is about, once for each key; workers send
it.
"""

from datetime import datetime

from django.conf import settings

from accounts.notifications.letter import Letter, Link
from accounts.notifications.notify import notify
from accounts.notifications.registry import Values, register
from accounts.topics import Topic
from storage.models import Vault, VaultEvent

WIPED = "vault-wiped"
UNDELETED = "vault-undeleted"
DELETION = "vault-deletion"


def tell_of_wipe(vault: Vault, event: VaultEvent, *, left: int) -> None:
    """Tell that everything was removed, or all snapshots but one."""
    notify(
        vault.account,
        WIPED,
        key=f"wipe:{event.pk}",
        vault=vault.public_id,
        name=vault.name,
        credential=event.credential.prefix if event.credential else "",
        at=f"{event.last_at:%Y-%m-%d %H:%M} UTC",
        left=left,
    )


def tell_of_undelete(vault: Vault, *, key: str, text: str) -> None:
    """Tell that what was removed came back; `text` says what."""
    notify(vault.account, UNDELETED, key=key, vault=vault.public_id, name=vault.name, text=text)


def tell_of_deletion(vault: Vault, *, by: str, at: datetime, until: datetime) -> None:
    """Tell that a vault is to be deleted, and until when it can be kept."""
    notify(
        vault.account,
        DELETION,
        key=f"deletion:{vault.public_id}:{at:%Y%m%d%H%M%S%f}",
        device=vault.device,
        vault=vault.public_id,
        name=vault.name,
        by=by,
        at=f"{at:%Y-%m-%d %H:%M} UTC",
        until=f"{until:%Y-%m-%d %H:%M} UTC",
    )


def tell_of_key(vault: Vault, name: str, *, credential: str, at: datetime, removed: bool) -> None:
    """Tell that a key came or went, of a vault that was set up before."""
    notify(
        vault.account,
        "key-change",
        key=f"key:{vault.public_id}:{name}:{removed}:{at:%Y%m%d%H%M%S}",
        vault=vault.public_id,
        name=vault.name,
        username=credential,
        at=f"{at:%Y-%m-%d %H:%M} UTC",
        removed=removed,
    )


@register(WIPED, Topic.SECURITY)
def wiped(values: Values) -> Letter:
    """Word a removal of everything."""
    left = "all snapshots but one" if values["left"] else "all snapshots"
    return Letter(
        subject=f"Nearly everything was removed from “{values['name']}”",
        lines=[
            f"At {values['at']} {left} of your vault “{values['name']}” were removed with the "
            f"credential {values['credential']}.",
            "If you did that, say so on the vault's page, and you are not told again.",
            "If you did not: revoke that credential now, on the same page, and bring back what was "
            "removed. It is kept for 30 days.",
        ],
        facts=[("Vault", values["name"]), ("Credential", values["credential"])],
        link=_page_of(values),
        is_urgent=True,
    )


@register(DELETION, Topic.SECURITY)
def deletion(values: Values) -> Letter:
    """Word the wish that a vault be deleted."""
    return Letter(
        subject=f"“{values['name']}” is going to be deleted",
        lines=[
            f"At {values['at']} {values['by']} asked for the deletion of the vault "
            f"“{values['name']}” with all its backups. Nothing is backed up into it any more.",
            f"Until {values['until']} it can be kept, on its page, and everything in it comes "
            "back. After that nobody can bring it back.",
            "If that was nobody of yours, keep it, and change the password of this website.",
        ],
        facts=[("Vault", values["name"]), ("Can be kept until", values["until"])],
        link=_page_of(values),
        is_urgent=True,
    )


@register(UNDELETED, Topic.SECURITY)
def undeleted(values: Values) -> Letter:
    """Word what came back."""
    return Letter(
        subject=f"What was removed from “{values['name']}” is back",
        lines=[
            values["text"],
            "Let `nightsafe check` or `restic check` look at the vault now.",
        ],
        facts=[("Vault", values["name"])],
        link=_page_of(values),
    )


def _page_of(values: Values) -> Link:
    return Link("Open the vault's page", f"{settings.SITE_URL}/vaults/{values['vault']}/")
