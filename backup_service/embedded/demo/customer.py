"""The demonstration's customer, made with the server's own functions. Needs Django set up."""

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from allauth.account.models import EmailAddress
from django.db import transaction
from django.db.models import Count, QuerySet

from accounts.actions import open_account
from accounts.audit import Actor
from accounts.models import Account, AuditEvent, Membership, User
from backup_service.embedded.demo.errors import DemoError
from backup_service.embedded.demo.files import DemoFiles, read_json, write_private
from billing.actions import subscribe
from billing.models import Plan
from storage.models import Replica, Vault
from storage.objects import placement
from storage.vaults.enrolment import Enrolled, create_vault, enrol_device

EMAIL = "demo@nightsafe.invalid"
STANDSTILL = 90.0  # seconds without a new replica after which something must be wrong
_ACTOR = Actor("the demonstration", AuditEvent.Kind.SERVICE)


@dataclass(frozen=True)
class DemoVault:
    """The vault and what opens it at the server; the passphrase is not here."""

    id: str
    url: str
    username: str
    secret: str = field(repr=False)
    is_set_up: bool = False


def ensure_customer(files: DemoFiles) -> Account:
    """Return the customer's account, making it on first use."""
    user = User.objects.filter(email=EMAIL).first()
    if user is not None and files.sign_in.exists():
        return Account.objects.get(memberships__user=user, memberships__role=Membership.Role.OWNER)
    password = "-".join(secrets.token_hex(3) for _ in range(4))
    write_private(
        files.sign_in,
        f"The demonstration's customer at the website\nE-mail      {EMAIL}\n"
        f"Password    {password}\n",
    )
    if user is not None:  # the file was removed, so nobody knows the password any more
        user.set_password(password)
        user.save(update_fields=["password"])
        return Account.objects.get(memberships__user=user, memberships__role=Membership.Role.OWNER)
    with transaction.atomic():
        user = User.objects.create_user(EMAIL, password)
        EmailAddress.objects.create(user=user, email=EMAIL, primary=True, verified=True)
        account = open_account(user, actor=_ACTOR)
        subscribe(account, plan=largest_plan().slug, actor=_ACTOR)
    return account


def largest_plan() -> Plan:
    """Return the largest plan whose replicas have enough regions, as SOURCE may be large."""
    places = max(Replica.MIN_COPIES, placement.reachable_replicas(placement.candidates()))
    return Plan.objects.filter(on_offer=True, copies__lte=places).order_by("-quota_bytes")[0]


def ensure_vault(files: DemoFiles, account: Account) -> DemoVault:
    """Return the vault, making device, vault and credential on first use.

    A vault that was never set up is left behind: its right to be may have run out.
    """
    vault = kept_vault(files)
    if vault is not None:
        return vault
    made = _new_vault(account)
    return DemoVault(
        made.vault.public_id,
        made.url,
        made.first.credential.prefix,
        made.first.secret,
    )


def kept_vault(files: DemoFiles) -> DemoVault | None:
    """Return the vault that was set up before, with its address of today."""
    kept = read_json(files.vault)
    vault = Vault.objects.filter(public_id=kept.get("id", "")).first()
    if vault is None:
        return None
    url = vault.url
    return DemoVault(vault.public_id, url, kept["username"], kept["secret"], is_set_up=True)


def remember(files: DemoFiles, vault: DemoVault) -> None:
    """Keep a vault, now that it is set up, for the next time."""
    kept = {"id": vault.id, "username": vault.username, "secret": vault.secret}
    write_private(files.vault, json.dumps(kept))


def _new_vault(account: Account) -> Enrolled:
    device = account.devices.filter(retired_at=None).first()
    if device is None:
        return enrol_device(account, name="This computer", actor=_ACTOR)
    name = f"Demonstration {secrets.token_hex(3)}"
    return create_vault(account, name=name, actor=_ACTOR, device=device)


def wait_for_replicas(vault: DemoVault, tell: Callable[[int], None]) -> dict[str, int]:
    """Wait until no replica is pending; return how many replicas each region holds of the vault.

    `tell` hears how many are still missing. Raises DemoError if they do not come.
    """
    least, since = None, time.monotonic()
    while pending := _copies(vault, Replica.State.PENDING).count():
        if least is None or pending < least:
            least, since = pending, time.monotonic()
        if time.monotonic() - since > STANDSTILL:
            raise DemoError(
                f"{pending} copies have been waiting for {STANDSTILL:.0f} seconds. "
                "See `manage.py region status`, and the worker's log."
            )
        tell(pending)
        time.sleep(0.2)
    stored = _copies(vault, Replica.State.STORED)
    counts = stored.values_list("region__alias").annotate(count=Count("pk")).order_by("region")
    return dict(counts)


def _copies(vault: DemoVault, state: str) -> QuerySet[Replica]:
    return Replica.objects.filter(object__vault__public_id=vault.id, state=state)
