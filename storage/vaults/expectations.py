"""Changes how often backups of a vault are expected, and so from when on it is late."""

from datetime import timedelta

from django.db import transaction

from accounts import audit
from accounts.audit import Actor
from storage.models import Vault
from storage.vaults.lateness import late_from

LEAST, MOST = timedelta(hours=1), timedelta(days=366)


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
