"""Fills a website's database with everything that a page may have to show.

Names have a hundred characters without a space and look like markup; there are vaults of every
standing, people of every role, tokens, endpoints, a failed payment, a grant, and an account that is
closing. It is for a database that is made for this alone, and runs in a process of the website's
own environment: `python -m tests.support.browser.filled`.
"""

import hashlib
import io
import os
import time
from datetime import timedelta
from typing import Any

import django.test
from allauth.account.forms import EmailAwarePasswordResetTokenGenerator
from allauth.account.internal.flows.login import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.conf import settings
from django.urls import reverse

from accounts import audit
from accounts.access import Seat
from accounts.actions import open_account
from accounts.audit import SERVICE, Actor
from accounts.closing.actions import close
from accounts.members import invitations
from accounts.models import Account, ApiToken, Closing, Delivery, Device, Endpoint, Membership, User
from accounts.notifications import endpoints
from accounts.notifications.notify import notify
from accounts.notifications.tokens import unsubscribe_token
from accounts.staff.notes import add_note
from accounts.tokens import tokens
from accounts.topics import Topic
from backup_service import clock
from billing.actions import entitlements_of, subscribe
from billing.grants import grant
from billing.models import StripeEvent, Subscription
from storage.body import HashedBody
from storage.deletion import tombstones
from storage.models import (
    StoredObject,
    Undelete,
    UsageSample,
    Vault,
    VaultEvent,
    VaultSample,
)
from storage.object_names import CONFIG, ObjectType, parse_name
from storage.replication.replicator import replicate_due
from storage.uploads import ingest
from storage.vaults import credentials
from storage.vaults.access import Access
from storage.vaults.enrolment import Enrolled, enrol_device
from tests.support.browser.visitor import PASSWORD
from tests.support.storage.counts import recounted

LONG = 100  # characters, the most that a name may have
BACKEND = "django.contrib.auth.backends.ModelBackend"
DAYS = 40  # of samples


def long_name(start: str) -> str:
    """Return a name as long as one may be, that looks like markup and has no space."""
    return f"<b>{start}-".ljust(LONG - 4, "W") + "</b>"


def fill() -> dict[str, Any]:
    """Fill the database; return cookies of people who are signed in, and the values of routes."""
    people = {name: _person(name) for name in ("owner", "member", "auditor", "closing", "staff")}
    account = _account(people["owner"])
    seats = _join(account, people)
    enrolled = _computers(account, seats["member"])
    values = _told(account, seats["owner"]) | _undeleting(enrolled["wiped"].vault)
    _pays(account)
    _leaves(people["closing"])
    _staff(account, people["staff"])
    broken = enrolled["refused"]
    values |= {
        "device_id": str(broken.vault.device and broken.vault.device.public_id),
        "vault_id": broken.vault.public_id,
        "prefix": broken.first.credential.prefix,
        "seat_id": str(seats["member"].pk),
    }
    return {
        "cookie_name": settings.SESSION_COOKIE_NAME,
        "cookies": {name: _cookie(user) for name, user in people.items()},
        "values": values,
        "links": _links(account),
        "vaults": {name: one.vault.public_id for name, one in enrolled.items()},
    }


def _person(name: str) -> User:
    email = f"{name}-{'w' * 50}@{'example-' * 7}.example.org".replace("-.", ".")
    user = User.objects.create_user(email, PASSWORD, name=long_name(name))
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
    return user


def _account(owner: User) -> Account:
    account = open_account(owner)
    Account.objects.filter(pk=account.pk).update(name=long_name("account"))
    account.refresh_from_db()
    subscribe(account, plan="plus", actor=SERVICE)
    return account


def _join(account: Account, people: dict[str, User]) -> dict[str, Membership]:
    made = {
        role: Membership.objects.create(account=account, user=people[role], role=role)
        for role in ("member", "auditor")
    }
    owner = account.memberships.get(role="owner")
    return made | {"owner": owner}


def _links(account: Account) -> list[str]:
    """Return what mails lead to: an invitation, a confirmation, and a new password."""
    owner = Seat(account.memberships.get(role="owner"))
    invited = invitations.invite(
        owner, email="somebody@example.net", role="admin", actor=Actor.person(owner.user)
    )
    user = User.objects.create_user("unconfirmed@example.org", PASSWORD)
    address = EmailAddress.objects.create(user=user, email=user.email, primary=True)
    confirmation = EmailConfirmationHMAC(address)
    key = f"{user_pk_to_url_str(user)}-{EmailAwarePasswordResetTokenGenerator().make_token(user)}"
    return [
        f"/invitations/{invited.token}/",
        reverse("account_confirm_email", args=[confirmation.key]),
        f"/accounts/password/reset/key/{key}/",
    ]


def _computers(account: Account, member: Membership) -> dict[str, Enrolled]:
    kinds = ("protected", "copying", "refused", "late", "never", "wiped", "partly", "lost")
    made = {name: _enrol(account, name) for name in kinds}
    Device.objects.filter(vaults__name__in=[long_name(one) for one in ("refused", "late")]).update(
        member=member
    )
    for name in kinds:
        if name not in ("never", "copying"):
            _back_up(made[name], times=3)
    replicate_due()
    _back_up(made["copying"], times=1)
    now = clock.now()
    _set(made["refused"], refused_at=now, refused_status=507, refused_text=_markup("Over quota."))
    long_ago = now - timedelta(days=5)
    _set(made["late"], last_snapshot_at=long_ago, late_from=long_ago, expected_interval=86400)
    _set(made["partly"], last_unread=1234)
    data = StoredObject.objects.filter(vault=made["lost"].vault, type="data")
    data.update(state=StoredObject.State.LOST)
    recounted()
    _steal(made["wiped"].vault)
    credentials.create(
        made["refused"].vault, scope="maintain", label=long_name("credential"), actor=SERVICE
    )
    _events(made["refused"])
    _samples(account, made["refused"].vault)
    return made


def _enrol(account: Account, name: str) -> Enrolled:
    owner = account.memberships.get(role="owner").user
    return enrol_device(account, name=long_name(name), actor=Actor.person(owner))


def _set(enrolled: Enrolled, **fields: Any) -> None:
    Vault.objects.filter(pk=enrolled.vault.pk).update(**fields)


def _markup(text: str) -> str:
    return f"{text} <script>alert(1)</script> " + "W" * 200


def _back_up(enrolled: Enrolled, *, times: int) -> None:
    credential = enrolled.first.credential
    for _ in range(times):
        for kind in (ObjectType.DATA, ObjectType.INDEX, ObjectType.SNAPSHOT):
            credential.refresh_from_db()
            vault = Vault.objects.get(pk=enrolled.vault.pk)
            access = Access(credential, vault, entitlements_of(vault.account))
            content = os.urandom(20_000)
            digest = hashlib.sha256(content).hexdigest()
            name = CONFIG if kind is ObjectType.CONFIG else parse_name(kind, digest)
            body = HashedBody(io.BytesIO(content), size=len(content), sha256=digest)
            ingest.deposit(access, name, body)


def _steal(vault: Vault) -> None:
    made = credentials.create(vault, scope="maintain", actor=SERVICE)
    access = Access(made.credential, Vault.objects.get(pk=vault.pk), entitlements_of(vault.account))
    for kind in ("snapshots", "index", "data"):
        for one in StoredObject.objects.live().filter(vault=vault, type=kind):
            tombstones.remove(access, one.object_name)
    Vault.objects.filter(pk=vault.pk).update(wiped_at=clock.now())


def _events(enrolled: Enrolled) -> None:
    now = clock.now()
    for number, kind in enumerate(VaultEvent.Kind.values):
        at = now - timedelta(hours=number)
        VaultEvent.objects.create(
            vault=enrolled.vault,
            credential=enrolled.first.credential,
            kind=kind,
            key=f"shown-{kind}",
            first_at=at - timedelta(hours=1),
            last_at=at,
            count=1000 if kind == "refusal" else 1,
            status=507 if kind == "refusal" else None,
            text=_markup("It was refused.") if kind in ("refusal", "failed") else "",
            snapshots=1,
            bytes=123_456_789,
            seconds=4321,
            unread=1234 if kind == "run" else None,
            closed_at=now,
        )


def _samples(account: Account, vault: Vault) -> None:
    today = clock.now().date()
    for back in range(DAYS, 0, -1):
        day, size = today - timedelta(days=back), 10**9 * (DAYS - back)
        UsageSample.objects.create(account=account, day=day, live_bytes=size, tombstoned_bytes=0)
        VaultSample.objects.create(vault=vault, day=day, bytes=size)


def _undeleting(vault: Vault) -> dict[str, str]:
    row = Undelete.objects.create(
        vault=vault,
        actor_label=long_name("owner"),
        moment=clock.now() - timedelta(days=1),
        removed_before=clock.now(),
        expected=9,
        revived=4,
    )
    return {"number": str(row.pk), "undelete_vault": vault.public_id}


def _told(account: Account, owner: Membership) -> dict[str, str]:
    actor = Actor.person(owner.user)
    chosen = endpoints.Settings(long_name("pager"), f"https://example.org/{'w' * 90}", list(Topic))
    hook = endpoints.add(account, kind=Endpoint.Kind.WEBHOOK, chosen=chosen, actor=actor)
    Endpoint.objects.filter(pk=hook.pk).update(
        failing_since=clock.now() - timedelta(days=2), error=_markup("No answer.")[:300]
    )
    endpoints.send_test(hook)
    tokens.create(owner, scope=ApiToken.Scope.WRITE, label=long_name("token"), actor=actor)
    gone = tokens.create(owner, scope=ApiToken.Scope.READ, label=long_name("gone"), actor=actor)
    tokens.revoke(gone.token, actor=actor)
    device = account.devices.earliest("pk")
    values = {"name": device.name, "last": "1 May 2026", "expected": "2 May 2026", "count": 1}
    notify(account, "backup-late", key="shown", device=device, vault="x", **values)
    Delivery.objects.filter(account=account).update(state=Delivery.State.FAILED, error="550")
    audit.record(actor, "account.rename", account.public_id, account=account, name=account.name)
    return {"endpoint_id": hook.public_id, "token": unsubscribe_token(owner, Topic.BACKUPS)}


def _pays(account: Account) -> None:
    now = clock.now()
    Subscription.objects.filter(account=account).update(
        stripe_customer="cus_shown",
        stripe_subscription="sub_shown",
        stripe_status="past_due",
        interval="month",
        unpaid_since=now - timedelta(days=20),
        retry_at=now + timedelta(days=1),
        period_ends_at=now + timedelta(days=9),
        next_sync_at=now + timedelta(days=99),
    )
    grant(account, days=14, reason=_markup("moving")[:200], actor=SERVICE, quota_bytes=10**10)
    StripeEvent.objects.create(
        event_id="evt_shown",
        type="invoice.payment_failed",
        customer="cus_shown",
        created_at=now,
        body=b"{}",
        state=StripeEvent.State.PARKED,
        error=_markup("It failed."),
    )


def _leaves(owner: User) -> None:
    account = open_account(owner)
    close(account, reason=Closing.Reason.OWNER, actor=Actor.person(owner))


def _staff(account: Account, user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_staff=True, is_superuser=True)
    TOTP.activate(user, generate_totp_secret())
    RecoveryCodes.activate(user)
    add_note(account, text=_markup("Called about it."), actor=Actor.staff(user))


def _cookie(user: User) -> str:
    """Return the session of somebody who has just signed in with password and second factor."""
    user.refresh_from_db()
    client = django.test.Client()
    client.force_login(user, BACKEND)
    session, now = client.session, time.time()
    records: list[dict[str, Any]] = [{"method": "password", "at": now, "reauthenticated": True}]
    if Authenticator.objects.filter(user=user).exists():
        records.append({"method": "mfa", "type": "totp", "at": now, "reauthenticated": True})
    session[AUTHENTICATION_METHODS_SESSION_KEY] = records
    session["account_authentication_methods_user"] = str(user.pk)
    session.save()
    return str(client.cookies[settings.SESSION_COOKIE_NAME].value)
