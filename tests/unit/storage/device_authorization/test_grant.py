"""A computer is let in by its owner, once, and only while it may be."""

from datetime import timedelta

import pytest

from accounts.actions import DeviceNameTakenError
from accounts.audit import SERVICE
from accounts.models import Account, AuditEvent, Device, Membership, User
from backup_service import clock
from billing.actions import subscribe
from storage.device_authorization import grant
from storage.models import Credential, DeviceAuthorization, Vault
from storage.vaults import credentials
from storage.vaults.devices import retire_device
from storage.vaults.enrolment import DeviceLimitError

pytestmark = pytest.mark.django_db


@pytest.fixture
def person(account: Account) -> User:
    user = User.objects.create_user("connecting@example.org")
    Membership.objects.create(account=account, user=user, role=Membership.Role.OWNER)
    return user


def begin(address: str = "192.0.2.1") -> grant.Begun:
    return grant.begin(computer="laptop", program="nightsafe", address=address)


def approve(begun: grant.Begun, vault: Vault, by: User, scope: str = "backup") -> None:
    grant.approve(begun.request, vault, scope=scope, by=by, actor=SERVICE)


def error_of(begun: grant.Begun) -> str:
    with pytest.raises(grant.PollError) as caught:
        grant.collect(begun.device_code)
    return caught.value.code


def test_the_whole_way(vault: Vault, person: User) -> None:
    begun = begin()
    assert error_of(begun) == "authorization_pending"
    found = grant.find(begun.user_code.lower())
    assert found == begun.request
    approve(begun, vault, person)
    collected = grant.collect(begun.device_code)
    credential = collected.made.credential
    assert (credential.vault, credential.scope) == (vault, "backup")
    assert credentials.recognise(credential.prefix, collected.made.secret) == credential
    assert grant.find(begun.user_code) is None
    assert AuditEvent.objects.filter(verb="device.connect").count() == 1


def connected(vault: Vault, person: User, scope: str = "backup") -> Credential:
    """Connect the computer "laptop"."""
    begun = begin()
    approve(begun, Vault.objects.get(pk=vault.pk), person, scope)
    return grant.collect(begun.device_code).made.credential


def of_computer(vault: Vault, name: str, *, is_retired: bool = False) -> Device:
    """Make a vault one that the computer of this name has set up."""
    device = Device.objects.create(account=vault.account, name=name)
    Vault.objects.filter(pk=vault.pk).update(device=device, state=Vault.State.ACTIVE)
    if is_retired:
        retire_device(device, actor=SERVICE)
    return device


@pytest.mark.parametrize("scope", ["backup", "restore"])
def test_another_computer_s_credential_is_its_own(vault: Vault, person: User, scope: str) -> None:
    device = of_computer(vault, "desktop")
    credential = connected(vault, person, scope)
    assert (credential.label, credential.device) == ("laptop", None)
    retire_device(device, actor=SERVICE)
    credential.refresh_from_db()
    assert credential.revoked_at is None


def test_the_same_computer_once_more(vault: Vault, person: User) -> None:
    device = of_computer(vault, "laptop")
    assert connected(vault, person).device == device
    assert connected(vault, person, "restore").device is None


def test_a_vault_whose_computer_is_retired_goes_on_with_another(vault: Vault, person: User) -> None:
    former = of_computer(vault, "desktop", is_retired=True)
    Device.objects.filter(pk=former.pk).update(member=person.memberships.get())
    assert connected(vault, person, "restore").device is None
    vault.refresh_from_db()
    assert vault.device == former
    credential = connected(vault, person)
    vault.refresh_from_db()
    assert vault.device is not None
    assert (vault.device.name, vault.device.retired_at) == ("laptop", None)
    assert (credential.device, vault.device.member) == (vault.device, person.memberships.get())
    assert AuditEvent.objects.filter(verb="vault.take-over").count() == 1


def test_a_computer_that_has_a_vault_already_takes_another_one_over(
    vault: Vault, person: User
) -> None:
    of_computer(vault, "desktop", is_retired=True)
    mine = Device.objects.create(account=vault.account, name="laptop")
    assert connected(vault, person).device == mine
    assert Device.objects.filter(retired_at=None).count() == 1


def test_nobody_gets_somebody_else_s_vault_by_a_name(vault: Vault, person: User) -> None:
    of_computer(vault, "desktop", is_retired=True)
    seat = person.memberships.get()
    Device.objects.create(account=vault.account, name="laptop", member=seat)
    with pytest.raises(DeviceNameTakenError):
        connected(vault, person)


def test_a_computer_that_takes_a_vault_over_is_counted(vault: Vault, person: User) -> None:
    of_computer(vault, "desktop", is_retired=True)
    subscribe(vault.account, plan="free", actor=SERVICE)
    Device.objects.create(account=vault.account, name="other")
    with pytest.raises(DeviceLimitError, match="Retire one that is no longer used"):
        connected(vault, person)
    assert not Credential.objects.filter(vault=vault, label="laptop").exists()


def test_no_code_is_kept(vault: Vault, person: User) -> None:
    begun = begin()
    approve(begun, vault, person)
    made = grant.collect(begun.device_code).made
    kept = str(list(DeviceAuthorization.objects.values())) + str(list(Credential.objects.values()))
    for secret in (begun.device_code, begun.user_code.replace("-", ""), made.secret):
        assert secret not in kept


def test_an_answer_that_was_lost(vault: Vault, person: User) -> None:
    begun = begin()
    approve(begun, vault, person)
    first, second = grant.collect(begun.device_code), grant.collect(begun.device_code)
    assert first.made.credential != second.made.credential
    first.made.credential.refresh_from_db()
    assert first.made.credential.revoked_at is not None
    credentials.mark_used(second.made.credential)
    assert error_of(begun) == "access_denied"  # somebody has it, so nobody else gets another one


def test_refused(vault: Vault, person: User) -> None:
    begun = begin()
    grant.deny(begun.request, account=vault.account, by=person, actor=SERVICE)
    assert error_of(begun) == "access_denied"
    with pytest.raises(grant.DecidedError):
        approve(begun, vault, person)


def test_it_runs_out(vault: Vault, person: User) -> None:
    begun = begin()
    with clock.travelled(grant.LIFETIME):
        assert grant.find(begun.user_code) is None
        assert error_of(begun) == "expired_token"
        with pytest.raises(grant.DecidedError):
            approve(begun, vault, person)


def test_what_was_approved_runs_out_too(vault: Vault, person: User) -> None:
    begun = begin()
    approve(begun, vault, person)
    with clock.travelled(grant.LIFETIME):
        assert error_of(begun) == "expired_token"


@pytest.mark.parametrize(
    "change", ["left", "auditor", "member of others", "inactive", "closed", "deleted"]
)
def test_rights_that_ended_meanwhile(vault: Vault, person: User, change: str) -> None:
    begun = begin()
    approve(begun, vault, person)
    match change:
        case "left":
            Membership.objects.all().delete()
        case "auditor":
            Membership.objects.update(role=Membership.Role.AUDITOR)
        case "member of others":
            Membership.objects.update(role=Membership.Role.MEMBER)
        case "inactive":
            User.objects.update(is_active=False)
        case "closed":
            Account.objects.update(state=Account.State.CLOSED)
        case "deleted":
            Vault.objects.update(closed_at=clock.now())
    before = Credential.objects.count()
    assert error_of(begun) == "access_denied"
    assert Credential.objects.count() == before


def test_who_asks_too_often_waits_longer(vault: Vault) -> None:
    begun = begin()
    assert error_of(begun) == "authorization_pending"
    assert error_of(begun) == "slow_down"
    with clock.travelled(timedelta(seconds=grant.INTERVAL)):
        assert error_of(begun) == "slow_down"  # it is to wait for twice as long now
    with clock.travelled(timedelta(seconds=5 * grant.INTERVAL)):
        assert error_of(begun) == "authorization_pending"


def test_nobody_fills_the_table(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(grant.OF_ADDRESS):
        begin()
    with pytest.raises(grant.TooManyRequestsError):
        begin()
    begin("192.0.2.2")
    monkeypatch.setattr(grant, "MAX_PENDING", DeviceAuthorization.objects.count())
    with pytest.raises(grant.TooManyRequestsError):
        begin("192.0.2.3")
    with clock.travelled(timedelta(days=2)):
        assert grant.drop_old() == grant.OF_ADDRESS + 1
        begin()


@pytest.mark.parametrize("typed", ["", "WDJB", "WDJB-MJHT-X", "\x00", "\ud800" * 8, "0" * 10_000])
def test_codes_that_are_none(vault: Vault, typed: str) -> None:
    begin()
    assert grant.find(typed) is None


def test_a_code_that_nobody_has() -> None:
    with pytest.raises(grant.PollError, match="expired_token"):
        grant.collect("made up")
