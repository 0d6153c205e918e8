"""Sends the canary: a small object of the service's own, stored and read back in every region.

It takes the path of customers' bytes (`monitoring/canary_transport.py`): over HTTP to the
gateway, with a credential, through quota, an attempt, the store and the commit, then the read path
with its hash. What the last canary left is read back first, so that keeping is tried as well as
taking. No run, or none that came back well, is an alarm.
"""

import hashlib
import logging
import os
import time
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError, transaction
from django.utils.crypto import salted_hmac

from accounts.audit import SERVICE
from accounts.models import Account
from backup_service import clock
from billing.actions import entitlements_of
from storage.errors import RefusedError
from storage.models import CanaryRun, Credential, Region, Vault
from storage.monitoring.canary_transport import (
    DirectTransport,
    HttpTransport,
    LostCanaryError,
    Transport,
    in_region,
)
from storage.object_names import ObjectType, parse_name
from storage.objects import damage
from storage.stores.base import RegionError
from storage.vaults import credentials
from storage.vaults.access import Access
from storage.vaults.canary_vault import ACCOUNT
from storage.vaults.enrolment import create_vault

log = logging.getLogger(__name__)
VAULT = "canary"
SIZE = 64 * 1024  # bytes
KEPT = timedelta(days=30)


def send() -> list[CanaryRun]:
    """Store and read back a canary in every region that takes bytes; return how it went."""
    vault, transport = _enter()
    regions = Region.objects.active()
    runs = [_run(vault, transport, region) for region in regions]
    CanaryRun.objects.filter(at__lt=clock.now() - KEPT).delete()
    return runs


def _run(vault: Vault, transport: Transport, region: Region) -> CanaryRun:
    begun = time.monotonic()
    error = ""
    try:
        _round_trip(vault, transport, region)
    except DatabaseError:
        raise
    except (LostCanaryError, RefusedError, RegionError, damage.BadReplicaError) as failure:
        error = str(failure)[:300] or type(failure).__name__
        log.error("the canary did not come back from region %s: %s", region.alias, error)
    return CanaryRun.objects.create(
        region=region, went_well=not error, seconds=time.monotonic() - begun, error=error
    )


def _round_trip(vault: Vault, transport: Transport, region: Region) -> None:
    earlier = in_region(vault, region)
    for obj in earlier[-1:]:
        if hashlib.sha256(transport.fetch(obj.object_name, region)).hexdigest() != obj.sha256:
            raise LostCanaryError("an earlier canary came back changed")
    content = os.urandom(SIZE)
    name = parse_name(ObjectType.DATA, hashlib.sha256(content).hexdigest())
    transport.store(name, content, region)
    if transport.fetch(name, region) != content:
        raise LostCanaryError("it came back changed")
    for obj in earlier:
        if obj.created_at < clock.now() - timedelta(hours=2):
            transport.remove(obj.object_name)


@transaction.atomic
def _enter() -> tuple[Vault, Transport]:
    """Return the canary's vault and a transport into it; create it at the first time."""
    account = Account.objects.filter(name=ACCOUNT, memberships=None).order_by("pk").first()
    if account is None:
        account = Account.objects.create(name=ACCOUNT)
    vault = Vault.objects.filter(account=account, name=VAULT).first()
    if vault is None:
        vault = create_vault(account, name=VAULT, actor=SERVICE).vault
    credential, secret = _credential(vault)
    if settings.CANARY_URL:
        address = f"{settings.CANARY_URL}/restic/{vault.public_id}/"
        return vault, HttpTransport(address, username=credential.prefix, secret=secret)
    return vault, DirectTransport(Access(credential, vault, entitlements_of(account)))


def _credential(vault: Vault) -> tuple[Credential, str]:
    """Return the canary's credential with its secret.

    The secret is derived from the service's key, so that every worker knows it and no row holds it.
    Credentials with another one, as after a change of the key, are revoked.
    """
    secret = salted_hmac(
        "storage.monitoring.canary", vault.public_id, algorithm="sha256"
    ).hexdigest()
    for known in Credential.objects.filter(vault=vault, revoked_at=None).order_by("pk"):
        if credentials.recognise(known.prefix, secret):
            return known, secret
        credentials.revoke(known, actor=SERVICE)
    scope = Credential.Scope.MAINTAIN
    return credentials.create(vault, scope=scope, actor=SERVICE, secret=secret).credential, secret
