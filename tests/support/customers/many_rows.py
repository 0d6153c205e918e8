"""An account with very many rows of everything that the customers' API lists."""

from datetime import timedelta

from accounts.models import (
    Account,
    ApiToken,
    AuditEvent,
    Delivery,
    Device,
    Endpoint,
    Invitation,
    Membership,
    Notice,
    User,
)
from backup_service import clock
from billing.models import Grant, Plan
from storage.models import Credential, StoredObject, Undelete, Vault, VaultEvent

BATCH = 1000  # rows of one statement


def fill(vault: Vault, endpoint: Endpoint, numbers: range, *, snapshots: range) -> None:
    """Add rows of each kind, with these numbers, to the vault's account and the vault itself."""
    _people(vault.account, numbers)
    _told(vault.account, endpoint, numbers)
    _computers(vault.account, numbers)
    _happened(vault, numbers, snapshots)


def _people(account: Account, numbers: range) -> None:
    now = clock.now()
    users = User.objects.bulk_create(
        [User(email=f"m{n}-{account.pk}@example.org") for n in numbers], BATCH
    )
    seats = Membership.objects.bulk_create(
        [Membership(account=account, user=user, role="member") for user in users], BATCH
    )
    Invitation.objects.bulk_create(
        [
            Invitation(
                account=account,
                email=f"i{n}@example.org",
                role="member",
                digest=f"{account.pk}-{n}",
                invited_by=users[0],
                expires_at=now + timedelta(days=7),
            )
            for n in numbers
        ],
        BATCH,
    )
    ApiToken.objects.bulk_create(
        [
            ApiToken(
                account=account,
                membership=seat,
                prefix=f"nst_{account.pk}-{n}",
                digest="",
                scope="read",
                label="many",
            )
            for n, seat in zip(numbers, seats, strict=True)
        ],
        BATCH,
    )


def _told(account: Account, endpoint: Endpoint, numbers: range) -> None:
    now = clock.now()
    AuditEvent.objects.bulk_create(
        [
            AuditEvent(
                account=account,
                actor=account.memberships.earliest("pk").user if n == numbers[0] else None,
                actor_label="somebody",
                verb="account.rename",
                subject=account.public_id,
                detail={"name": f"n{n}"},
            )
            for n in numbers
        ],
        BATCH,
    )
    notices = Notice.objects.bulk_create(
        [
            Notice(account=account, kind="test", key=f"many-{n}", values={"endpoint": "pager"})
            for n in numbers
        ],
        BATCH,
    )
    Delivery.objects.bulk_create(
        [Delivery(notice=one, account=account, endpoint=endpoint, state="sent") for one in notices],
        BATCH,
    )
    Endpoint.objects.bulk_create(
        [
            Endpoint(account=account, kind="push", name=f"e{n}", url="https://example.org/")
            for n in numbers
        ],
        BATCH,
    )
    Grant.objects.bulk_create(
        [
            Grant(
                account=account,
                quota_bytes=1,
                ends_at=now + timedelta(days=1),
                reason="many",
                granted_label="operator",
            )
            for _ in numbers
        ],
        BATCH,
    )
    Plan.objects.bulk_create(
        [Plan(slug=f"many-{account.pk}-{n}", name="Many", quota_bytes=1) for n in numbers],
        BATCH,
    )


def _computers(account: Account, numbers: range) -> None:
    member = account.memberships.earliest("pk")
    devices = Device.objects.bulk_create(
        [Device(account=account, name=f"many {n}", member=member) for n in numbers], BATCH
    )
    Vault.objects.bulk_create(
        [Vault(account=account, name=one.name, device=one) for one in devices], BATCH
    )


def _happened(vault: Vault, numbers: range, snapshots: range) -> None:
    now = clock.now()
    made = Credential.objects.bulk_create(
        [
            Credential(vault=vault, prefix=f"m{vault.pk}-{n}", secret_sha256="", scope="restore")
            for n in numbers
        ],
        BATCH,
    )
    names = {n: f"{vault.pk:08x}{n:056x}" for n in snapshots}
    StoredObject.objects.bulk_create(
        [
            StoredObject(
                vault=vault,
                type=StoredObject.Type.SNAPSHOT,
                name=name,
                size=1000,
                sha256=name,
                sequence=n,
                created_at=now,
                created_by=made[n % len(made)],
            )
            for n, name in names.items()
        ],
        BATCH,
    )
    VaultEvent.objects.bulk_create(
        [
            VaultEvent(
                vault=vault,
                credential=made[n % len(made)],
                kind=VaultEvent.Kind.RUN,
                snapshot=name,
                bytes=1000,
                first_at=now,
                last_at=now,
            )
            for n, name in names.items()
        ],
        BATCH,
    )
    Undelete.objects.bulk_create(
        [
            Undelete(
                vault=vault,
                actor_label="somebody",
                moment=now,
                credential=made[n % len(made)],
                removed_before=now,
                ended_at=now,
            )
            for n in numbers
        ],
        BATCH,
    )
