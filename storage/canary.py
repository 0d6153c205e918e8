"""The canary: a small vault of the service's own, stored and read back in every region.

It goes the ways that customers' bytes go: quota, an attempt, the store, the commit, then the read
path with its hash. What the last canary left is read back first, so that keeping is tried as well
as taking. No run, or none that came back well, is an alarm.
"""

import hashlib
import io
import logging
import os
import time
from collections.abc import Iterable
from datetime import timedelta

from django.db import DatabaseError, transaction

from accounts.audit import SERVICE
from accounts.models import Account
from backup_service import clock
from billing.actions import entitlements_of
from storage import damage, expire, ingest, serve
from storage.access import Access
from storage.body import Body
from storage.enrol import create_vault
from storage.errors import RefusedError
from storage.models import CanaryRun, Credential, Region, StoredObject, Vault
from storage.names import ObjectType, parse_name
from storage.regions import configured
from storage.regions.base import RegionError

log = logging.getLogger(__name__)
ACCOUNT = "The service's own canary"
VAULT = "canary"
SIZE = 64 * 1024  # bytes
KEPT = timedelta(days=30)


class LostCanaryError(Exception):
    """What came back is not what was stored, or nothing did."""


def send() -> list[CanaryRun]:
    """Store and read back a canary in every region that takes bytes; return how it went."""
    access = _access()
    regions = Region.objects.filter(status=Region.Status.ACTIVE, alias__in=configured())
    runs = [_run(access, region) for region in regions]
    CanaryRun.objects.filter(at__lt=clock.now() - KEPT).delete()
    return runs


def _run(access: Access, region: Region) -> CanaryRun:
    begun = time.monotonic()
    error = ""
    try:
        _round_trip(access, region)
    except DatabaseError:
        raise
    except (LostCanaryError, RefusedError, RegionError, damage.BadCopyError) as failure:
        error = str(failure)[:300] or type(failure).__name__
        log.error("the canary did not come back from region %s: %s", region.alias, error)
    return CanaryRun.objects.create(
        region=region, went_well=not error, seconds=time.monotonic() - begun, error=error
    )


def _round_trip(access: Access, region: Region) -> None:
    earlier = list(
        StoredObject.objects.filter(
            vault=access.vault,
            state=StoredObject.State.LIVE,
            replicas__region=region,
            replicas__state="stored",
        ).order_by("pk")
    )
    for held in earlier[-1:]:
        if _sha(serve.fetch_from(region, held)) != held.sha256:
            raise LostCanaryError("an earlier canary came back changed")
    content = os.urandom(SIZE)
    digest = hashlib.sha256(content).hexdigest()
    name = parse_name(ObjectType.DATA, digest)
    body = Body(io.BytesIO(content), size=SIZE, sha256=digest)
    ingest.deposit(access, name, body, into=region)
    back = b"".join(serve.fetch_from(region, serve.find(access.vault, name)))
    if back != content:
        raise LostCanaryError("it came back changed")
    for held in earlier:
        if held.created_at < clock.now() - timedelta(hours=2):
            expire.remove(access, held.object_name)


def _sha(pieces: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


@transaction.atomic
def _access() -> Access:
    """Return the way into the canary's vault, making it at the first time. Nobody owns it."""
    account = Account.objects.filter(name=ACCOUNT, memberships=None).order_by("pk").first()
    if account is None:
        account = Account.objects.create(name=ACCOUNT)
    vault = Vault.objects.filter(account=account, name=VAULT).first()
    if vault is None:
        scope = Credential.Scope.MAINTAIN
        vault = create_vault(account, name=VAULT, actor=SERVICE, scope=scope).vault
    credential = Credential.objects.filter(vault=vault, revoked_at=None).order_by("pk").first()
    if credential is None:
        raise LostCanaryError("somebody revoked the canary's credential")
    return Access(credential, vault, entitlements_of(account))
