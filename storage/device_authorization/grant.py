"""Begins, decides and collects a computer's request to be connected."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction

from accounts import audit
from accounts.audit import Actor
from accounts.models import Account, Device, Membership, User
from accounts.roles import Right, may
from backup_service import clock
from storage.device_authorization import codes
from storage.models import Credential, DeviceAuthorization, Vault
from storage.vaults import credentials, devices
from storage.vaults.credentials import NewCredential

LIFETIME = timedelta(minutes=15)
INTERVAL = 5  # seconds between two polls
MAX_INTERVAL = 60
OF_ADDRESS = 20  # requests an hour
MAX_PENDING = 20_000  # of everybody
KEPT = timedelta(days=1)  # rows, after they have run out
State = DeviceAuthorization.State


class TooManyRequestsError(Exception):
    """More requests than one address, or everybody together, may have open."""


class DecidedError(Exception):
    """The request has run out, or was decided before."""


class PollError(Exception):
    """The program gets no credential now. `code` is the error of RFC 8628, section 3.5."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Begun:
    """A new request with its codes, which are shown to the program alone."""

    request: DeviceAuthorization
    device_code: str
    user_code: str


@dataclass(frozen=True)
class Collected:
    """What the program came for. The secret is shown once."""

    vault: Vault
    made: NewCredential


def begin(*, computer: str, program: str, address: str | None) -> Begun:
    """Record that a computer asks to be connected. Raises TooManyRequestsError."""
    now = clock.now()
    lately = DeviceAuthorization.objects.filter(created_at__gt=now - timedelta(hours=1))
    if address is not None and lately.filter(address=address)[:OF_ADDRESS].count() >= OF_ADDRESS:
        raise TooManyRequestsError
    pending = DeviceAuthorization.objects.pending(now)
    if pending[:MAX_PENDING].count() >= MAX_PENDING:
        raise TooManyRequestsError
    while True:
        device_code, user_code = codes.new_device_code(), codes.new_user_code()
        try:
            with transaction.atomic():
                request = DeviceAuthorization.objects.create(
                    device_code_sha256=codes.digest(device_code),
                    user_code_sha256=codes.digest(user_code),
                    computer=computer,
                    program=program,
                    address=address,
                    expires_at=now + LIFETIME,
                    interval=INTERVAL,
                )
        except IntegrityError:  # one in 25 thousand million for each request that is kept
            continue
        return Begun(request, device_code, codes.shown(user_code))


def find(typed: str) -> DeviceAuthorization | None:
    """Return the request that a typed code belongs to, if it can still be decided."""
    code = codes.normalise(typed)
    if len(code) != codes.LENGTH:
        return None
    pending = DeviceAuthorization.objects.pending(clock.now())
    return pending.filter(user_code_sha256=codes.digest(code)).first()


@transaction.atomic
def approve(
    request: DeviceAuthorization,
    vault: Vault,
    *,
    scope: str,
    by: User,
    actor: Actor,
    computer: str = "",
) -> None:
    """Let the computer have a credential of `scope` for a vault of the person's account.

    Its owner may call it `computer`. If it is to back up, and the vault is of no computer in use,
    it becomes this one's. Raises DecidedError, TooManyCredentialsError, DeviceNameTakenError, a
    LimitError, or ValueError for an unknown scope.
    """
    chosen = Credential.Scope(scope)
    credentials.require_room(vault)
    name = computer or request.computer
    _decide(
        request,
        State.APPROVED,
        account=vault.account,
        by=by,
        vault=vault,
        scope=chosen,
        computer=name,
    )
    if chosen != Credential.Scope.RESTORE and devices.lacks_computer(vault):
        devices.take_over(vault, name=name, actor=actor)
    audit.record(
        actor,
        "device.connect",
        vault.public_id,
        account=vault.account,
        computer=request.computer,
        vault=vault.public_id,
        scope=chosen.value,
    )


@transaction.atomic
def deny(request: DeviceAuthorization, *, account: Account, by: User, actor: Actor) -> None:
    """Refuse the computer. Raises DecidedError."""
    _decide(request, State.DENIED, account=account, by=by)
    audit.record(
        actor, "device.deny", account.public_id, account=account, computer=request.computer
    )


def _decide(
    request: DeviceAuthorization,
    state: DeviceAuthorization.State,
    *,
    account: Account,
    by: User,
    **more: object,
) -> None:
    pending = DeviceAuthorization.objects.pending(clock.now()).filter(pk=request.pk)
    if not pending.update(state=state, account=account, approved_by=by, **more):
        raise DecidedError


def collect(device_code: str) -> Collected:
    """Return a new credential for the program whose request was approved.

    A program whose answer was lost may come again: as long as the credential was not used, it is
    replaced by another one. Raises PollError.
    """
    now = clock.now()
    found = DeviceAuthorization.objects.filter(device_code_sha256=codes.digest(device_code))
    request = found.select_related(
        "vault__account", "vault__device", "approved_by", "credential"
    ).first()
    if request is None or request.expires_at <= now:
        raise PollError("expired_token")
    match request.state:
        case State.DENIED:
            raise PollError("access_denied")
        case State.PENDING:
            raise PollError(_paced(request, now))
    return _make(request)


def _paced(request: DeviceAuthorization, now: datetime) -> str:
    """Return the error for a program that has to wait, or asks too often."""
    before, row = request.polled_at, DeviceAuthorization.objects.filter(pk=request.pk)
    interval = request.interval
    # Clocks of programs are no better than a second.
    if before is not None and now - before < timedelta(seconds=max(0, interval - 1)):
        row.update(polled_at=now, interval=min(MAX_INTERVAL, interval + INTERVAL))
        return "slow_down"
    row.update(polled_at=now)
    return "authorization_pending"


@transaction.atomic
def _make(request: DeviceAuthorization) -> Collected:
    vault, person = request.vault, request.approved_by
    if vault is None or person is None or not _may_still(vault, person):
        raise PollError("access_denied")
    # Two polls at once: whoever locks the row second sees what the first has made.
    locked = DeviceAuthorization.objects.select_for_update(no_key=True).get(pk=request.pk)
    earlier = locked.credential
    if earlier is not None:
        earlier.refresh_from_db()
        if earlier.last_used_at is not None or earlier.revoked_at is not None:
            raise PollError("access_denied")
        credentials.revoke(earlier, actor=Actor.person(person))
    may_set_up = request.scope != Credential.Scope.RESTORE and vault.is_new
    try:
        made = credentials.create(
            vault,
            scope=request.scope,
            actor=Actor.person(person),
            device=_device_of(request, vault),
            with_setup=may_set_up,
            label=request.computer,
        )
    except credentials.TooManyCredentialsError as error:  # others were made meanwhile
        raise PollError("access_denied") from error
    DeviceAuthorization.objects.filter(pk=request.pk).update(credential=made.credential)
    return Collected(vault, made)


def _device_of(request: DeviceAuthorization, vault: Vault) -> Device | None:
    """Return the device that the computer is: the vault's own, if it is called so or sets it up.

    None for another one, and for one that only restores.
    """
    if devices.lacks_computer(vault) or request.scope == Credential.Scope.RESTORE:
        return None
    device = vault.device
    is_called_so = device is not None and device.name == request.computer
    return device if is_called_so else devices.device_for(vault, request.scope)


def _may_still(vault: Vault, person: User) -> bool:
    """Whether what was approved some minutes ago would be approved now."""
    seat = Membership.objects.filter(account=vault.account_id, user=person).first()
    is_open = vault.closed_at is None and not vault.account.is_closed
    if seat is None or not person.is_active or not is_open:
        return False
    if not may(seat.role, Right.CHANGE_BACKUPS):
        return False
    is_theirs = vault.device is not None and vault.device.member_id == seat.pk
    return is_theirs or may(seat.role, Right.SEE_ALL_BACKUPS)


def drop_old() -> int:
    """Remove requests that ran out long ago; return how many."""
    old = DeviceAuthorization.objects.filter(expires_at__lt=clock.now() - KEPT)
    chosen = list(old.order_by("pk").values_list("pk", flat=True)[:1000])
    return DeviceAuthorization.objects.filter(pk__in=chosen).delete()[0]


def verification_url(user_code: str = "") -> str:
    """Return the address of the page that takes the code, with the code in it if one is given.

    The code is in its fragment, which browsers keep to themselves: it reaches no server's log.
    """
    page = f"{settings.SITE_URL}/connect/"
    return f"{page}#{user_code}" if user_code else page
