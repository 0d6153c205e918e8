"""Erases what the tables say of an account and its people, a bounded lot at a time.

What stays is without names: the account's row, its vaults' rows with the journal of removals, which
must be able to say that bytes are gone, and the audit log's verbs and moments with their chain.
"""

import time
from collections.abc import Callable

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from accounts.closing import erasure
from accounts.models import Account, Device
from billing import closing as payments
from storage.leaving import persons
from storage.models import (
    Credential,
    DeviceAuthorization,
    EndedLock,
    JournalEntry,
    Lock,
    LossNotice,
    QuotaNotice,
    Reservation,
    Undelete,
    Usage,
    UsageSample,
    Vault,
    VaultEvent,
    VaultSample,
)

AT_ONCE = 1000  # rows


def erase(account: Account, until: float) -> bool:
    """Go on with an account until a monotonic time; return whether nothing is left to erase."""
    while time.monotonic() < until:
        if all(not part(account) for part in PARTS):
            return True
    return False


def _events(account: Account) -> int:
    return erasure.delete_some(VaultEvent.objects.filter(vault__account=account), AT_ONCE)


def _samples(account: Account) -> int:
    UsageSample.objects.filter(account=account).delete()  # one a day
    return erasure.delete_some(VaultSample.objects.filter(vault__account=account), AT_ONCE)


@transaction.atomic
def _vaults(account: Account) -> int:
    """Delete what hangs on the vaults; keep their rows, for the journal, without names."""
    mine = {"vault__account": account}
    for kind in (Lock, EndedLock, LossNotice, Undelete):
        kind.objects.filter(**mine).delete()
    DeviceAuthorization.objects.filter(account=account).delete()
    DeviceAuthorization.objects.filter(**mine).delete()
    credentials = Credential.objects.filter(**mine)
    in_journal = JournalEntry.objects.filter(credential=OuterRef("pk"))
    credentials.exclude(Exists(in_journal)).delete()
    credentials.update(label="", secret_sha256="", device=None)
    for vault in Vault.objects.filter(account=account).order_by("pk"):
        vault.name, vault.device, vault.refused_text = f"({vault.public_id})", None, ""
        vault.closed_at = vault.closed_at or account.closed_at
        vault.save(update_fields=["name", "device", "refused_text", "closed_at"])
    VaultSample.objects.filter(**mine).delete()  # that came meanwhile
    return 0


@transaction.atomic
def _figures(account: Account) -> int:
    QuotaNotice.objects.filter(account=account).delete()
    Reservation.objects.filter(account=account).delete()
    Usage.objects.filter(account=account).delete()
    UsageSample.objects.filter(account=account).delete()
    return 0


@transaction.atomic
def _payments(account: Account) -> int:
    payments.erase_rows(account)
    return 0


def _notices(account: Account) -> int:
    return erasure.erase_notices(account)


def _devices(account: Account) -> int:
    devices: QuerySet[Device] = Device.objects.filter(account=account)
    erasure.blank_admin_log(devices)
    devices.delete()
    return 0


# In this order, since the later ones are referred to by the earlier.
PARTS: tuple[Callable[[Account], int], ...] = (
    _events,
    _samples,
    _vaults,
    _figures,
    _payments,
    _notices,
    _devices,
    persons.erase_members,
    erasure.erase_account,
)
