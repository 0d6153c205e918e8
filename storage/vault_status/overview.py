"""Reads what the pages show of an account's vaults, in a fixed number of queries."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta

from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import TruncDate

from accounts.access import Seat, devices_seen_by
from accounts.models import Account, AuditEvent, Device
from accounts.roles import Right
from backup_service import clock
from billing.actions import DEFAULT_PLAN
from billing.models import Plan, Subscription
from storage.models import Credential, Replica, StoredObject, Usage, Vault
from storage.models.regions import place_name
from storage.objects import placement
from storage.vault_status.protection import Protection, Standing, VaultFigures, judge
from storage.vault_status.vault_statistics import figures_of

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
    def lacks_places(self) -> bool:
        """Whether there are fewer places than copies promised."""
        return self.possible_copies < self.wanted_copies


@dataclass(frozen=True)
class DeviceOverview:
    """A device in use with its vaults."""

    device: Device
    vaults: list[VaultOverview]

    @property
    def is_one_with_its_vault(self) -> bool:
        """Whether the vault's name says it all, as it does after enrolment."""
        return [shown.vault.name for shown in self.vaults] == [self.device.name]


@dataclass(frozen=True)
class QuotaOverview:
    """What is charged of the plan. All in bytes but the parts of the bar, in thousandths."""

    plan: Plan
    charged: int
    reserved: int  # of these, for uploads in flight and what broken ones left until it is swept
    kept: int  # removed, and kept for the grace period

    @property
    def bar(self) -> int:
        """The filled part of the bar."""
        return _part(self.charged - self.reserved, self.plan.quota_bytes)

    @property
    def bar_reserved(self) -> int:
        """The part held for uploads in flight."""
        return min(_part(self.reserved, self.plan.quota_bytes), BAR - self.bar)

    @property
    def percent(self) -> int:
        """How full the plan is, in whole per cent."""
        return round(100 * self.charged / max(1, self.plan.quota_bytes))


@dataclass(frozen=True)
class RegionCopies:
    """What one region has of a vault, in copies and bytes."""

    place: str
    stored: int
    bytes: int
    waiting: int
    damaged: int


@dataclass(frozen=True)
class Dashboard:
    """Everything that the dashboard shows."""

    quota: QuotaOverview
    devices: list[DeviceOverview]
    elsewhere: list[VaultOverview] = field(default_factory=list)

    @property
    def vaults(self) -> list[VaultOverview]:
        """All vaults of the account."""
        return [shown for item in self.devices for shown in item.vaults] + self.elsewhere

    @property
    def vault_count(self) -> int:
        """How many vaults there are."""
        return len(self.vaults)

    @property
    def standing_counts(self) -> list[tuple[Standing, int]]:
        """Each standing that occurs with its number of vaults, the best first."""
        found = [shown.protection.standing for shown in self.vaults]
        return [(standing, found.count(standing)) for standing in Standing if standing in found]


def vaults_of(account: Account) -> QuerySet[Vault]:
    """Return the account's vaults, oldest first."""
    open_ones = Vault.objects.filter(account=account, closed_at=None)
    return open_ones.select_related("device").order_by("created_at")


def vaults_seen_by(seat: Seat) -> QuerySet[Vault]:
    """Return the vaults that somebody sees: all of the account's, or those of their devices."""
    vaults = vaults_of(seat.account)
    if seat.may(Right.SEE_ALL_BACKUPS):
        return vaults
    return vaults.filter(device__member=seat.membership)


def credentials_of(vault: Vault) -> QuerySet[Credential]:
    """Return a vault's credentials, those in use first."""
    return Credential.objects.filter(vault=vault).order_by("revoked_at", "-created_at")


def plan_of(account: Account) -> Plan:
    """Return the account's plan; an account without one is on the free plan."""
    subscription = Subscription.objects.select_related("plan").filter(account=account).first()
    return subscription.plan if subscription else Plan.objects.get(slug=DEFAULT_PLAN)


def dashboard(seat: Seat) -> Dashboard:
    """Return the devices in use with their vaults, the other vaults, and the quota."""
    account = seat.account
    plan = plan_of(account)
    overviews = overview(vaults_seen_by(seat), plan)
    devices = list(devices_seen_by(seat))
    in_use = {device.pk for device in devices}
    return Dashboard(
        quota=quota_of(account, plan),
        devices=[
            DeviceOverview(d, [o for o in overviews if o.vault.device_id == d.pk]) for d in devices
        ],
        elsewhere=[o for o in overviews if o.vault.device_id not in in_use],
    )


def quota_of(account: Account, plan: Plan) -> QuotaOverview:
    """Return what the account is charged for."""
    usage = Usage.objects.filter(account=account).first() or Usage()
    return QuotaOverview(
        plan=plan,
        charged=usage.charged(plan.quota_bytes),
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
    stored = Q(state=Replica.State.STORED)
    rows = (
        Replica.objects.filter(object__vault=vault, object__state__in=StoredObject.CURRENT)
        .values("region__alias", "region__place")
        .annotate(
            stored=Count("pk", filter=stored),
            bytes=Sum("object__size", filter=stored, default=0),
            waiting=Count("pk", filter=Q(state=Replica.State.PENDING)),
            damaged=Count("pk", filter=Q(state__in=Replica.DAMAGED)),
        )
        .order_by("region__priority", "region__alias")
    )
    return [
        RegionCopies(
            place=place_name(row["region__place"], row["region__alias"]),
            stored=row["stored"],
            bytes=row["bytes"],
            waiting=row["waiting"],
            damaged=row["damaged"],
        )
        for row in rows
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
