"""Reads what the pages show of an account's vaults, in a fixed number of queries."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Count, F, Q, QuerySet
from django.db.models.functions import TruncDate

from accounts.access import Seat
from accounts.models import Account, AuditEvent
from accounts.roles import Right
from backup_service import clock
from billing.actions import DEFAULT_PLAN
from billing.models import Plan, Subscription
from storage.counters import figures as counted
from storage.models import Credential, Region, Replica, StoredObject, Usage, Vault
from storage.models.regions import place_name
from storage.objects import placement
from storage.vault_status.protection import AT_REST, Protection, Standing, VaultFigures, judge
from storage.vault_status.vault_statistics import figures_of
from storage.vaults.lateness import next_expected
from storage.vaults.quota import Allowance

BAR = 1000  # units of the quota bar's length
DAYS_SHOWN = 30


@dataclass(frozen=True)
class VaultOverview:
    """A vault with its figures and how it stands.

    `wanted_copies` are what the plan promises, `possible_copies` what there are places for now.
    """

    vault: Vault
    figures: VaultFigures
    protection: Protection
    wanted_copies: int
    possible_copies: int

    @property
    def copies(self) -> int:
        """How many copies everything has at least, as far as the plan promises."""
        return min(self.figures.fewest_copies, self.wanted_copies)

    @property
    def next_expected(self) -> datetime | None:
        """When the next backup is expected; none before the first one, or where none is to come."""
        if self.figures.last_backup is None or self.protection.standing in AT_REST:
            return None
        if self.figures.is_retired or self.figures.is_closed:  # and at risk
            return None
        return next_expected(self.figures.last_backup, self.figures.interval)

    @property
    def holds_nothing(self) -> bool:
        """Whether its figures mean nothing: what was in it is removed, and can be kept."""
        return self.protection.standing is Standing.DELETING

    @property
    def lacks_places(self) -> bool:
        """Whether there are fewer places than copies promised."""
        return self.possible_copies < self.wanted_copies


@dataclass(frozen=True)
class QuotaOverview:
    """What is charged of the quota. All in bytes but the parts of the bar, in thousandths."""

    plan: Plan
    quota: int  # the plan's, and what was granted on top
    live: int
    reserved: int  # for uploads in flight and what broken ones left until it is swept
    kept: int  # removed, and kept for the grace period

    @property
    def charged_kept(self) -> int:
        """What counts of the removed: it is free up to the quota's size."""
        return max(0, self.kept - self.quota)

    @property
    def charged(self) -> int:
        """What counts against the quota."""
        return self.live + self.reserved + self.charged_kept

    @property
    def granted(self) -> int:
        """How much of the quota is no part of the plan."""
        return self.quota - self.plan.quota_bytes

    @property
    def overdraw(self) -> int:
        """How much more a credential that may remove can store, since a prune needs it."""
        return Allowance.for_upkeep(self.quota).overdraw

    @property
    def bar(self) -> int:
        """The filled part of the bar."""
        return _part(self.charged - self.reserved, self.quota)

    @property
    def bar_reserved(self) -> int:
        """The part held for uploads in flight."""
        return min(_part(self.reserved, self.quota), BAR - self.bar)

    @property
    def percent(self) -> int:
        """How full it is, in whole per cent."""
        return round(100 * self.charged / max(1, self.quota))


@dataclass(frozen=True)
class RegionCopies:
    """What one region has of a vault, in copies and bytes."""

    place: str
    stored: int
    bytes: int
    waiting: int
    damaged: int


def vaults_of(account: Account) -> QuerySet[Vault]:
    """Return the account's vaults, oldest first."""
    open_ones = Vault.objects.filter(account=account, closed_at=None)
    return open_ones.select_related("account", "device").order_by("created_at")


def vaults_seen_by(seat: Seat) -> QuerySet[Vault]:
    """Return the vaults that somebody sees: all of the account's, or those of their devices."""
    vaults = vaults_of(seat.account)
    if seat.may(Right.SEE_ALL_BACKUPS):
        return vaults
    return vaults.filter(device__member=seat.membership)


def credentials_of(vault: Vault) -> QuerySet[Credential]:
    """Return a vault's credentials, those in use first, then those that were revoked last."""
    found = Credential.objects.filter(vault=vault)
    return found.order_by(F("revoked_at").desc(nulls_first=True), "-created_at")


def plan_of(account: Account) -> Plan:
    """Return the account's plan; an account without one is on the free plan."""
    subscription = Subscription.objects.select_related("plan").filter(account=account).first()
    return subscription.plan if subscription else Plan.objects.get(slug=DEFAULT_PLAN)


def quota_of(account: Account, plan: Plan, quota: int) -> QuotaOverview:
    """Return what the account is charged for. `quota` (bytes) is that of its entitlements."""
    usage = Usage.objects.filter(account=account).first() or Usage()
    return QuotaOverview(
        plan=plan,
        quota=quota,
        live=usage.live_bytes,
        reserved=usage.reserved_bytes,
        kept=usage.tombstoned_bytes,
    )


def overview(vaults: Iterable[Vault], plan: Plan) -> list[VaultOverview]:
    """Return the vaults with their figures: three queries, however many there are."""
    vaults = list(vaults)
    now = clock.now()
    figures = figures_of(vaults)
    wanted = max(Replica.MIN_COPIES, plan.copies)
    possible = placement.reachable_replicas(placement.candidates())
    return [
        VaultOverview(vault, figures[vault.pk], judge(figures[vault.pk], now), wanted, possible)
        for vault in vaults
    ]


def copies_by_region(vault: Vault) -> list[RegionCopies]:
    """Return what each region has of a vault, in the order in which uploads try them."""
    counts = counted.of_vaults([vault.pk], states=StoredObject.CURRENT)
    found = counted.by_region(counts)
    return [
        RegionCopies(
            place=place_name(region.place, region.alias),
            stored=found[region.pk].stored,
            bytes=found[region.pk].stored_bytes,
            waiting=found[region.pk].pending,
            damaged=found[region.pk].damaged,
        )
        for region in Region.objects.filter(pk__in=found).order_by("priority", "alias")
    ]


def backups_by_day(vault: Vault) -> list[tuple[date, int]]:
    """Return the last days, oldest first, with the number of snapshots that came on each."""
    now = clock.now()
    first = now.date() - timedelta(days=DAYS_SHOWN - 1)
    snapshots = StoredObject.objects.filter(
        vault=vault,
        type=StoredObject.Type.SNAPSHOT,
        created_at__gte=now - timedelta(days=DAYS_SHOWN),
    )
    counts = dict(
        snapshots.annotate(day=TruncDate("created_at"))
        .order_by()
        .values_list("day")
        .annotate(n=Count("pk"))
    )
    days = [first + timedelta(days=n) for n in range(DAYS_SHOWN)]
    return [(day, counts.get(day, 0)) for day in days]


def events_of(vault: Vault) -> QuerySet[AuditEvent]:
    """Return what was done in a vault, newest first."""
    named = Q(subject=vault.public_id) | Q(detail__vault=vault.public_id)
    return AuditEvent.objects.filter(named, account=vault.account_id).order_by("-pk")


def _part(size: int, whole: int) -> int:
    return min(BAR, round(BAR * size / max(1, whole)))
