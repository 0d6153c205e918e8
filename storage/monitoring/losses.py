"""Notifies owners of objects that have no good replica left.

One mail a vault and hour at most, so that a burning region does not become a thousand mails.
"""

import logging
from datetime import timedelta

from django.conf import settings
from django.db.models import Q

from accounts.models import Membership
from backup_service import clock
from storage.models import LossNotice, StoredObject, Vault
from storage.monitoring import mail

log = logging.getLogger(__name__)
SPACING = timedelta(hours=1)
NAMED = 50
NOTIFIED = [Membership.Role.OWNER, Membership.Role.ADMIN]


def notify() -> int:
    """Send the mails that are due; return how many vaults' people were told."""
    now = clock.now()
    due = LossNotice.objects.filter(
        Q(mailed_at=None) | Q(mailed_at__lte=now - SPACING), is_due=True
    )
    notified = 0
    for notice in due.select_related("vault__account"):
        before = notice.mailed_at
        claimed = LossNotice.objects.filter(pk=notice.pk, is_due=True, mailed_at=before).update(
            is_due=False, mailed_at=now
        )
        if not claimed:
            continue
        if _mail(notice.vault):
            notified += 1
        else:
            LossNotice.objects.filter(pk=notice.pk).update(is_due=True, mailed_at=before)
    return notified


def _mail(vault: Vault) -> bool:
    lost = StoredObject.objects.lost().filter(vault=vault)
    count = lost.count()
    if not count:
        return True  # healed meanwhile
    names = "\n".join(f"  {obj.object_name}" for obj in lost.order_by("pk")[:NAMED])
    more = f"\n  and {count - NAMED} more" if count > NAMED else ""
    people = vault.account.memberships.filter(role__in=NOTIFIED).order_by("pk")
    owners = list(people.values_list("user__email", flat=True))
    text = _TEXT.format(
        vault=vault.name,
        count=count,
        objects="object" if count == 1 else "objects",
        names=names + more,
        page=f"{settings.SITE_URL}/vaults/{vault.public_id}/",
    )
    subject = f"Your backup “{vault.name}” is damaged: run a backup now"
    reached = mail.send(subject, text, to=owners)
    staff = [address for address in mail.staff() if address not in owners]
    return mail.send(f"Lost objects in vault {vault.public_id}", text, to=staff) and reached


_TEXT = """\
Of {count} {objects} in your vault “{vault}” no good copy is left in any region.

What to do: run `nightsafe backup` on the device now. It sends again what is still there. With
stock restic, and a credential that may maintain the vault, run `restic repair index` (`restic
rebuild-index` before version 0.16) and then `restic backup --force`. Files that have changed or
gone since cannot be brought back from the snapshots that need these objects; all other snapshots
and files are not affected.

After that, take what is lost off the vault's list: `nightsafe prune` does so with a credential that
may maintain the vault, or you do it on the vault's page. Until then the vault is shown as at risk.

{names}

The vault's page shows what is still missing:
{page}

We are sorry. Our staff has been told as well.
"""
