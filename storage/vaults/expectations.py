"""Says of which vaults backups are expected, and changes how often, and so when they are late."""

from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from accounts import audit
from accounts.audit import Actor
from backup_service import clock
from storage.models import Credential, Vault
from storage.vaults.lateness import late_from

LEAST, MOST = timedelta(hours=1), timedelta(days=366)


def expected(vaults: QuerySet[Vault]) -> QuerySet[Vault]:
    """Return those vaults whose computers are to back up.

    Of a computer that was retired no backup is expected, unless another one goes on: it has a
    credential for backups, or a backup came since by one that may do more.
    """
    writers = Credential.objects.in_use(clock.now()).filter(vault=OuterRef("pk"))
    may_go_on = Q(scope=Credential.Scope.BACKUP)
    goes_on = Q(
        scope=Credential.Scope.MAINTAIN,
        vault__last_snapshot_at__gt=F("vault__device__retired_at"),
    )
    return vaults.filter(Q(device__retired_at=None) | Exists(writers.filter(may_go_on | goes_on)))


def is_expected(vault: Vault) -> bool:
    """Return whether backups of one vault are expected, as far as its computers go."""
    return expected(Vault.objects.filter(pk=vault.pk)).exists()


@transaction.atomic
def expect_every(vault: Vault, interval: timedelta | None, *, actor: Actor) -> None:
    """Expect a backup every `interval`, or as they have come if that is None.

    Raises ValueError for one that is shorter than an hour or longer than a year.
    """
    if interval is not None and not LEAST <= interval <= MOST:
        raise ValueError(f"{interval} is out of bounds")
    seconds = int(interval.total_seconds()) if interval else 0
    changed = Vault.objects.filter(pk=vault.pk).exclude(expected_interval=seconds)
    if changed.update(expected_interval=seconds):
        vault.expected_interval = seconds
        set_late_from(vault.pk)
        audit.record(
            actor,
            "vault.expect",
            vault.public_id,
            account=vault.account,
            hours=seconds // 3600,
        )


def set_late_from(pk: int) -> None:
    """Work out from when on a vault is late, after a backup or another expectation."""
    vault = Vault.objects.get(pk=pk)
    if vault.last_snapshot_at is not None:
        late = late_from(vault.last_snapshot_at, vault.interval)
        Vault.objects.filter(pk=pk).update(late_from=late)
