"""Tells owners of objects that have no good replica left.

One notice a vault and hour at most, so that a burning region does not become a thousand mails.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext, ngettext

from accounts.notifications.letter import Letter, Link
from accounts.notifications.notify import notify as tell
from accounts.notifications.registry import Values, register
from accounts.templatetags.amounts import number
from accounts.topics import Topic
from backup_service import clock
from storage.models import LossNotice, StoredObject
from storage.monitoring import mail

log = logging.getLogger(__name__)
LOST = "objects-lost"
SPACING = timedelta(hours=1)
NAMED = 50


def notify() -> int:
    """Have told what is due; return how many vaults' people were, or need not be any more."""
    now = clock.now()
    due = LossNotice.objects.filter(
        Q(mailed_at=None) | Q(mailed_at__lte=now - SPACING), is_due=True
    )
    notices = due.select_related("vault__account", "vault__device")
    return sum(_tell(notice, now) for notice in notices)


def _tell(notice: LossNotice, now: datetime) -> int:
    """Tell a vault's people, unless somebody else does; and staff, who see it as an alarm too."""
    with transaction.atomic():
        mine = LossNotice.objects.filter(pk=notice.pk, is_due=True, mailed_at=notice.mailed_at)
        if not mine.update(is_due=False, mailed_at=now):
            return 0
        vault = notice.vault
        lost = StoredObject.objects.lost().filter(vault=vault)
        count = lost.count()
        if not count:
            return 1  # healed meanwhile
        names = [str(one.object_name) for one in lost.order_by("pk")[:NAMED]]
        tell(
            vault.account,
            LOST,
            key=f"lost:{vault.public_id}:{now:%Y%m%d%H%M%S}",
            device=vault.device,
            vault=vault.public_id,
            name=vault.name,
            count=count,
            names=names,
        )
    text = f"Of {count} objects no good copy is left:\n{_list(names, count)}"
    mail.send(f"Lost objects in vault {vault.public_id}", text, to=mail.staff())
    return 1


def _list(names: Sequence[str], count: int) -> str:
    more = gettext("and %(count)s more") % {"count": number(count - len(names))}
    return "\n".join([*names, more] if count > len(names) else names)


@register(LOST, Topic.SECURITY)
def lost_objects(values: Values) -> Letter:
    """Word a loss, and what brings back what can be brought back."""
    count, names, name = values["count"], values["names"], values["name"]
    lost = ngettext(
        "Of %(count)s object in your vault “%(name)s” no good copy is left in any place.",
        "Of %(count)s objects in your vault “%(name)s” no good copy is left in any place.",
        count,
    )
    return Letter(
        subject=gettext("Your backup “%(name)s” is damaged: run a backup now") % {"name": name},
        lines=[
            lost % {"count": number(count), "name": name},
            gettext(
                "What to do: run `nightsafe backup` on the computer now. It sends again what is "
                "still there. With stock restic, and a credential that may maintain the vault, run "
                "`restic repair index` (`restic rebuild-index` before version 0.16) and then "
                "`restic backup --force`. Files that have changed or gone since cannot be brought "
                "back from the snapshots that need these objects; all other snapshots and files "
                "are not affected."
            ),
            gettext(
                "After that, take what is lost off the vault's list: `nightsafe prune` does so "
                "with a credential that may maintain the vault, or you do it on the vault's page. "
                "Until then the vault is shown as at risk."
            ),
            _list(names, count),
            gettext("We are sorry. Our staff has been told as well."),
        ],
        link=Link(
            gettext("See what is still missing"), f"{settings.SITE_URL}/vaults/{values['vault']}/"
        ),
        is_urgent=True,
    )
