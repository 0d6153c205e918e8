"""Tells an account's people what happened in a vault: the one place from which events do so.

A notice is asked for inside the transaction of what it is about, once for each key; workers send
it.
"""

from datetime import datetime

from django.conf import settings
from django.utils.translation import gettext

from accounts.notifications.letter import Letter, Link
from accounts.notifications.notify import notify
from accounts.notifications.registry import Values, register
from accounts.notifications.wording import day_of, iso, minute_of
from accounts.topics import Topic
from storage.events.undelete_wording import outcome_in_words
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
        at=iso(event.last_at),
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
        until=iso(until),
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
        at=iso(at),
        removed=removed,
    )


@register(WIPED, Topic.SECURITY)
def wiped(values: Values) -> Letter:
    """Word a removal of everything."""
    left = gettext("all snapshots but one") if values["left"] else gettext("all snapshots")
    return Letter(
        subject=gettext("Nearly everything was removed from “%(name)s”") % {"name": values["name"]},
        lines=[
            gettext(
                "At %(at)s %(left)s of your vault “%(name)s” were removed with the credential "
                "%(credential)s."
            )
            % {
                "at": minute_of(values["at"]),
                "left": left,
                "name": values["name"],
                "credential": values["credential"],
            },
            gettext("If you did that, say so on the vault's page, and you are not told again."),
            gettext(
                "If you did not: revoke that credential now, on the same page, and bring back what "
                "was removed. It is kept for 30 days."
            ),
        ],
        facts=[(gettext("Vault"), values["name"]), (gettext("Credential"), values["credential"])],
        link=_page_of(values),
        is_urgent=True,
    )


@register(DELETION, Topic.SECURITY)
def deletion(values: Values) -> Letter:
    """Word the wish that a vault be deleted."""
    return Letter(
        subject=gettext("“%(name)s” is going to be deleted") % {"name": values["name"]},
        lines=[
            gettext(
                "At %(at)s %(by)s asked for the deletion of the vault “%(name)s” with all its "
                "backups. Nothing is backed up into it any more."
            )
            % {"at": minute_of(values["at"]), "by": values["by"], "name": values["name"]},
            gettext(
                "Until %(until)s it can be kept, on its page, and everything in it comes back. "
                "After that nobody can bring it back."
            )
            % {"until": day_of(values["until"])},
            gettext(
                "If nobody in your account did this, keep the vault, and change your password for "
                "this website."
            ),
        ],
        facts=[
            (gettext("Vault"), values["name"]),
            (gettext("Can be kept until"), day_of(values["until"])),
        ],
        link=_page_of(values),
        is_urgent=True,
    )


@register(UNDELETED, Topic.SECURITY)
def undeleted(values: Values) -> Letter:
    """Word what came back."""
    return Letter(
        subject=gettext("What was removed from “%(name)s” is back") % {"name": values["name"]},
        lines=[
            outcome_in_words(values["text"]),
            gettext("Let `nightsafe check` or `restic check` look at the vault now."),
        ],
        facts=[(gettext("Vault"), values["name"])],
        link=_page_of(values),
    )


def _page_of(values: Values) -> Link:
    return Link(gettext("Open the vault's page"), f"{settings.SITE_URL}/vaults/{values['vault']}/")
