"""Quota: held before an upload, settled or released after it, recounted by audit.

One conditional UPDATE decides; reading first and writing later would let parallel uploads pass
the cap together. Charged = live bytes + max(0, tombstoned bytes - plan quota).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import models, transaction
from django.db.models import F, Sum, Value
from django.db.models.functions import Greatest

from accounts.models import Account
from storage.errors import OverQuotaError
from storage.models import Attempt, Reservation, StoredObject, Usage

OVERDRAW_SHARE = 0.10
OVERDRAW_LEAST = 10**9  # bytes


@dataclass(frozen=True)
class Allowance:
    """How many bytes may be charged: the plan's quota, and what pruning may borrow on top."""

    quota: int
    overdraw: int = 0

    @classmethod
    def for_upkeep(cls, quota: int) -> "Allowance":
        """Pruning writes before it frees, so it may overdraw by a tenth, at least 1 GB."""
        return cls(quota, max(int(quota * OVERDRAW_SHARE), OVERDRAW_LEAST))


def reserve(attempt: Attempt, *, account: Account, size: int, allowance: Allowance) -> None:
    """Hold `size` bytes for `attempt`, inside the caller's transaction.

    Raises OverQuotaError when the account has no room for them.
    """
    hold(account, size, allowance)
    Reservation.objects.create(account=account, attempt=attempt, size=size)


def hold(account: Account, size: int, allowance: Allowance) -> None:
    """Hold `size` bytes, for which the caller makes reservations in the same transaction.

    Raises OverQuotaError when the account has no room for them.
    """
    if _hold(account, size, allowance):
        return
    Usage.objects.get_or_create(account=account)  # its first upload, perhaps
    if not _hold(account, size, allowance):
        raise OverQuotaError(_sorry(account, size, allowance))


def _hold(account: Account, size: int, allowance: Allowance) -> bool:
    excess = Greatest(F("tombstoned_bytes") - Value(allowance.quota), Value(0))
    held = (
        Usage.objects.filter(account=account)
        .alias(after=F("live_bytes") + F("reserved_bytes") + excess + Value(size))
        .filter(after__lte=allowance.quota + allowance.overdraw)
        .update(reserved_bytes=F("reserved_bytes") + size)
    )
    return bool(held)


def settle(attempt: Attempt, *, live: int = 0, tombstoned: int = 0) -> None:
    """End the attempt's reservation and book what became of it (changes in bytes)."""
    reservation = Reservation.objects.filter(attempt=attempt).first()
    if reservation is None:
        return
    deleted, _ = Reservation.objects.filter(pk=reservation.pk).delete()
    if deleted:
        book(
            reservation.account_id,
            live=live,
            tombstoned=tombstoned,
            reserved=-reservation.size,
        )


def settle_all(attempts: Sequence[Attempt], *, live: int) -> None:
    """End the reservations of one account's attempts, whose objects have `live` new bytes."""
    reservations = Reservation.objects.select_for_update(no_key=True)
    mine = reservations.filter(attempt__in=[attempt.pk for attempt in attempts]).order_by("pk")
    held = list(mine.values_list("pk", "account", "size"))
    Reservation.objects.filter(pk__in=[pk for pk, _, _ in held]).delete()
    for account_id in {account for _, account, _ in held}:
        freed = sum(size for _, account, size in held if account == account_id)
        book(account_id, live=live, reserved=-freed)


def book(account_id: int, *, live: int = 0, tombstoned: int = 0, reserved: int = 0) -> None:
    """Change an account's figures (bytes), inside the caller's transaction."""
    Usage.objects.filter(account_id=account_id).update(
        live_bytes=F("live_bytes") + live,
        tombstoned_bytes=F("tombstoned_bytes") + tombstoned,
        reserved_bytes=F("reserved_bytes") + reserved,
    )


@dataclass(frozen=True)
class Recount:
    """What an account's figures said, and what its rows say. All in bytes."""

    booked: tuple[int, int, int]  # live, tombstoned, reserved
    counted: tuple[int, int, int]

    @property
    def agrees(self) -> bool:
        """Whether the books were right."""
        return self.booked == self.counted


@transaction.atomic
def recount(account: Account, *, mend: bool) -> Recount:
    """Compare an account's figures with its rows and, if asked, set them right."""
    Usage.objects.get_or_create(account=account)
    usage = Usage.objects.select_for_update(no_key=True).get(account=account)
    held = StoredObject.objects.filter(vault__account=account)
    live = _sum(held.filter(state__in=[StoredObject.State.LIVE, StoredObject.State.LOST]))
    gone = _sum(held.filter(state__in=[StoredObject.State.TOMBSTONED, StoredObject.State.PURGING]))
    reserved = Reservation.objects.filter(account=account).aggregate(n=Sum("size"))["n"] or 0
    result = Recount(
        booked=(usage.live_bytes, usage.tombstoned_bytes, usage.reserved_bytes),
        counted=(live, gone, reserved),
    )
    if mend and not result.agrees:
        Usage.objects.filter(pk=usage.pk).update(
            live_bytes=live, tombstoned_bytes=gone, reserved_bytes=reserved
        )
    return result


def _sum(objects: models.QuerySet[StoredObject]) -> int:
    return objects.aggregate(n=Sum("size"))["n"] or 0


def _sorry(account: Account, size: int, allowance: Allowance) -> str:
    usage = Usage.objects.get(account=account)
    used = usage.charged(allowance.quota) / 10**9
    return (
        f"Over quota: {used:.2f} of {allowance.quota / 10**9:.0f} GB are used, and this upload of "
        f"{size / 10**6:.1f} MB does not fit. Nothing stored is affected and restores work. "
        "Choose a larger plan on the website, or remove old snapshots."
    )
