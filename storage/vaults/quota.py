"""Reserves quota before an upload, settles it after, and recounts it in reconciliation.

One conditional UPDATE decides; reading first and writing later would let parallel uploads pass
the cap together. Charged = live bytes + bytes reserved for uploads + max(0, tombstoned bytes - plan
quota). Of every object at least FLOOR bytes count, which covers what its rows and files cost. Held
are uploads in flight, and what they may have left in a store until the sweep has removed it, so
that whoever sends and gives up, or removes and sends again, fills no disk for free. Replicas are
free.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import models, transaction
from django.db.models import ExpressionWrapper, F, Sum, Value
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Greatest

from accounts.models import Account
from accounts.templatetags.amounts import amount
from storage.errors import BusyError, OverQuotaError
from storage.models import Attempt, Reservation, StoredObject, Usage, Vault

FLOOR = 4096  # bytes
OVERDRAW_SHARE = 0.10
OVERDRAW_LEAST = 10**9  # bytes
# Uploads that are in flight, or were given up and are not swept yet: what they make of work for
# the sweep is bounded, however small they are.
MOST_OPEN_OF_VAULT = 4096
MOST_OPEN_OF_ACCOUNT = 4 * MOST_OPEN_OF_VAULT


def cost(size: int) -> int:
    """Return how many bytes an object of `size` bytes counts for."""
    return max(size, FLOOR)


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
    """Reserve what an object of `size` bytes costs, for `attempt`, in the caller's transaction.

    Raises OverQuotaError when the account has no room for it, BusyError when too many are open.
    """
    reserve_bytes(account, [size], allowance)
    require_few_open(attempt.vault, 1)
    Reservation.objects.create(account=account, attempt=attempt, size=cost(size))


def reserve_bytes(account: Account, sizes: Sequence[int], allowance: Allowance) -> None:
    """Hold what objects of these sizes cost; the caller makes a reservation of each one's cost in
    the same transaction.

    Raises OverQuotaError when the account has no room for all of them.
    """
    wanted = sum(map(cost, sizes))
    if _reserve(account, wanted, allowance):
        return
    Usage.objects.get_or_create(account=account)  # its first upload, perhaps
    if not _reserve(account, wanted, allowance):
        raise OverQuotaError(_sorry(account, wanted, allowance.quota))


def require_few_open(vault: Vault, more: int) -> None:
    """Raise BusyError if the vault, or its account, would have too many uploads open.

    After `reserve_bytes`, whose lock of the account's figures makes the count exact.
    """
    open_ones = Reservation.objects.order_by().filter(account=vault.account_id)
    count = open_ones[: MOST_OPEN_OF_ACCOUNT + 1].count() + more
    if count <= MOST_OPEN_OF_VAULT:
        return
    here = open_ones.filter(attempt__vault=vault)[: MOST_OPEN_OF_VAULT + 1].count() + more
    if count > MOST_OPEN_OF_ACCOUNT or here > MOST_OPEN_OF_VAULT:
        raise BusyError(
            "Too many uploads were begun and not finished. What they left is removed within the "
            "hour; uploads go on then."
        )


def _reserve(account: Account, wanted: int, allowance: Allowance) -> bool:
    room = allowance.quota + allowance.overdraw - wanted
    reserved = (
        Usage.objects.filter(account=account)
        .alias(counted=_charged(allowance.quota))
        .filter(counted__lte=room)
        .update(reserved_bytes=F("reserved_bytes") + wanted)
    )
    return bool(reserved)


def _charged(quota: int) -> "ExpressionWrapper[CombinedExpression]":
    """Return `Usage.charged` as an expression for the database.

    Named as what it is: Django takes a sum of columns for one of 32 bits, and on PostgreSQL leaves
    out a comparison with anything beyond, as if it held.
    """
    excess = Greatest(F("tombstoned_bytes") - Value(quota), Value(0))
    charged = F("live_bytes") + F("reserved_bytes") + excess
    return ExpressionWrapper(charged, output_field=models.BigIntegerField())


def require_within(account: Account, quota: int) -> None:
    """Raise OverQuotaError if more is charged than a plan's quota lets even upkeep have.

    An upload that was reserved may finish; if the plan became smaller meanwhile, it may not.
    """
    most = Allowance.for_upkeep(quota)
    usage = Usage.objects.filter(account=account).alias(counted=_charged(quota))
    if usage.filter(counted__gt=most.quota + most.overdraw).exists():
        raise OverQuotaError(_sorry(account, 0, quota))


def settle(attempt: Attempt, *, live: int = 0, tombstoned: int = 0) -> None:
    """End the attempt's reservation, if it has one, and book what became of it, in bytes."""
    settle_all([attempt.pk], live=live, tombstoned=tombstoned)


def settle_all(attempts: Sequence[str], *, live: int = 0, tombstoned: int = 0) -> None:
    """End the reservations of attempts (by primary key) and book what became of them.

    `live` and `tombstoned` are changes in bytes, of one account, if not zero.
    """
    reservations = Reservation.objects.select_for_update(no_key=True)
    mine = reservations.filter(attempt__in=attempts).order_by("pk")
    ended = list(mine.values_list("pk", "account", "size"))
    Reservation.objects.filter(pk__in=[pk for pk, _, _ in ended]).delete()
    for account_id in sorted({account for _, account, _ in ended}):
        freed = sum(size for _, account, size in ended if account == account_id)
        book(account_id, live=live, tombstoned=tombstoned, reserved=-freed)


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
    objects = StoredObject.objects.filter(vault__account=account)
    live = _sum(objects.current())
    gone = _sum(objects.removed())
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
    return objects.aggregate(n=Sum(Greatest(F("size"), Value(FLOOR))))["n"] or 0


def _sorry(account: Account, wanted: int, quota: int) -> str:
    used = Usage.objects.get(account=account).charged(quota)
    what = f"this upload of {_in_words(wanted)} does not fit" if wanted else "that is too much"
    return (
        f"Over quota: {_in_words(used)} of {_in_words(quota)} are used, and {what}. Nothing stored "
        "is affected and restores work. To make room, remove old snapshots (`forget --prune`) with "
        "a credential of scope maintain, or choose a larger plan on the page Billing."
    )


def _in_words(size: int) -> str:
    """Return bytes for a text that is also a reason phrase, which clients show as it comes."""
    return amount(size).replace("\u00a0", " ")
