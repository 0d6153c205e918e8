"""Reads a vault's history: its snapshots, removed ones too, and what was removed when."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db.models import OuterRef, QuerySet, Subquery

from backup_service import clock
from storage.models import Credential, StoredObject, Undelete, Vault, VaultEvent

SHORT = 8  # digits of a snapshot's name, as restic shows it


@dataclass(frozen=True)
class Snapshot:
    """A snapshot that is there, or was removed and is kept until `kept_until`.

    `added` bytes came with its run, as far as that is on record. Credentials are called by their
    labels, or else their user names.
    """

    name: str
    came_at: datetime
    came_by: str
    added: int | None
    removed_at: datetime | None = None
    removed_by: str = ""

    @property
    def short(self) -> str:
        """The beginning of its name, as restic shows it."""
        return self.name[:SHORT]

    @property
    def kept_until(self) -> datetime | None:
        """When it is gone for good."""
        return self.removed_at + settings.GRACE if self.removed_at else None


@dataclass(frozen=True)
class Removal:
    """A run of removals, and the last moment before it.

    `credential` is a user name, `called` what its owner calls it if that has a name.
    """

    id: int
    at: datetime
    before: datetime
    credential: str
    called: str
    objects: int
    snapshots: int
    bytes: int

    @property
    def moment(self) -> str:
        """The last moment before it, to the microsecond, for a form."""
        return self.before.astimezone(UTC).isoformat(timespec="microseconds")


def snapshots_of(vault: Vault) -> QuerySet[StoredObject]:
    """Return a vault's snapshots, the newest first: those there, and those that can come back."""
    added = VaultEvent.objects.filter(
        vault=vault, kind=VaultEvent.Kind.RUN, snapshot=OuterRef("name")
    )
    return (
        keys_of_snapshots(vault)
        .defer(None)
        .annotate(added=Subquery(added.order_by("-pk").values("bytes")[:1]))
        .select_related("created_by", "tombstoned_by")
        .order_by("-sequence", "-pk")
    )


def keys_of_snapshots(vault: Vault) -> QuerySet[StoredObject]:
    """Return the rows of `snapshots_of` with their primary keys alone, which an index has."""
    states = [*StoredObject.CURRENT, StoredObject.State.TOMBSTONED]
    rows = StoredObject.objects.filter(vault=vault, type=StoredObject.Type.SNAPSHOT)
    return rows.filter(state__in=states).only("pk")


def shown(snapshot: StoredObject) -> Snapshot:
    """Return a row of `snapshots_of` as it is shown."""
    return Snapshot(
        name=snapshot.name,
        came_at=snapshot.created_at,
        came_by=called(snapshot.created_by),
        added=getattr(snapshot, "added", None),
        removed_at=snapshot.tombstoned_at,
        removed_by=called(snapshot.tombstoned_by),
    )


def removals_of(vault: Vault, most: int) -> list[Removal]:
    """Return the runs of removals that can be undone, the newest first."""
    since = clock.now() - settings.GRACE
    runs = VaultEvent.objects.filter(
        vault=vault, kind__in=VaultEvent.REMOVALS, first_at__gt=since
    ).select_related("credential")
    return [
        Removal(
            id=run.pk,
            at=run.first_at,
            before=before(run),
            credential=_prefix(run.credential),
            called=called(run.credential),
            objects=run.count,
            snapshots=run.snapshots or 0,
            bytes=run.bytes or 0,
        )
        for run in runs.order_by("-last_at", "-pk")[:most]
    ]


def before(removal: VaultEvent) -> datetime:
    """Return the last moment before a run of removals: what there was then can come back."""
    return removal.first_at - timedelta(microseconds=1)


def undeletes_of(vault: Vault, most: int) -> list[Undelete]:
    """Return what was brought back, or is being brought back, the newest first."""
    rows = Undelete.objects.filter(vault=vault).select_related("credential")
    return list(rows.order_by("-pk")[:most])


def _prefix(credential: Credential | None) -> str:
    return credential.prefix if credential else ""


def called(credential: Credential | None) -> str:
    """Return what an owner calls a credential, or else its user name; empty for none."""
    return (credential.label or credential.prefix) if credential else ""
