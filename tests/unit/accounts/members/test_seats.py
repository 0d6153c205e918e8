"""Roles, removal, leaving, and the transfer of an account."""

from datetime import timedelta

import pytest

from accounts.access import Seat
from accounts.actions import add_device, open_account
from accounts.audit import Actor
from accounts.members import seats
from accounts.members.errors import LastOwnerError, NotAllowedError, NotWaitingError
from accounts.models import Device, Membership
from accounts.tokens import tokens
from backup_service import clock
from tests.unit.accounts.members.conftest import seat_in
from tests.unit.website.conftest import person

pytestmark = pytest.mark.django_db


def me(seat: Seat) -> Actor:
    return Actor.person(seat.user)


def role_of(seat: Seat) -> str:
    return Membership.objects.get(pk=seat.membership.pk).role


def test_changing_a_role(olga: Seat, mia: Seat) -> None:
    assert seats.change_role(olga, mia.membership, role="admin", actor=me(olga))
    assert not seats.change_role(olga, mia.membership, role="admin", actor=me(olga))
    assert role_of(mia) == "admin"


@pytest.mark.parametrize(
    ("who", "whom", "role"),
    [
        ("adam", "olga", "member"),
        ("adam", "mia", "admin"),
        ("adam", "mia", "owner"),
        ("adam", "adam", "member"),
        ("olga", "mia", "owner"),
        ("olga", "olga", "member"),
        ("mia", "axel", "member"),
        ("axel", "mia", "auditor"),
    ],
)
def test_what_nobody_may_change(
    request: pytest.FixtureRequest,
    olga: Seat,
    adam: Seat,
    mia: Seat,
    axel: Seat,
    who: str,
    whom: str,
    role: str,
) -> None:
    seat, other = request.getfixturevalue(who), request.getfixturevalue(whom)
    before = role_of(other)
    with pytest.raises(NotAllowedError):
        seats.change_role(seat, other.membership, role=role, actor=me(seat))
    assert role_of(other) == before


def test_removing_a_member_ends_tokens_and_keeps_devices(olga: Seat, mia: Seat) -> None:
    device = add_device(mia.account, name="laptop", actor=me(mia))
    assert device.member == mia.membership
    made = tokens.create(mia.membership, scope="read", label="x", actor=me(mia))
    seats.remove(olga, mia.membership, actor=me(olga))
    assert not Membership.objects.filter(user=mia.user).exists()
    assert Device.objects.filter(pk=device.pk, member=None, retired_at=None).exists()
    made.token.refresh_from_db()
    assert made.token.revoked_at is not None
    assert tokens.authenticate_token(f"Bearer {made.text}") is None


def test_who_removes_whom(olga: Seat, adam: Seat, mia: Seat) -> None:
    for seat, other in ((adam, olga), (mia, adam), (adam, adam), (olga, olga)):
        with pytest.raises(NotAllowedError):
            seats.remove(seat, other.membership, actor=me(seat))
    seats.remove(adam, mia.membership, actor=me(adam))


def test_a_member_of_another_account_is_out_of_reach(olga: Seat) -> None:
    bob = open_account(person("bob@example.org")).memberships.get()
    with pytest.raises(NotWaitingError):
        seats.remove(olga, bob, actor=me(olga))
    with pytest.raises(NotWaitingError):
        seats.offer_ownership(olga, bob, actor=me(olga))


def test_the_last_owner_stays(olga: Seat, adam: Seat) -> None:
    with pytest.raises(LastOwnerError):
        seats.leave(olga, actor=me(olga))
    seats.leave(adam, actor=me(adam))
    assert olga.account.memberships.count() == 1


def test_an_account_changes_hands_when_the_other_accepts(olga: Seat, adam: Seat, mia: Seat) -> None:
    seats.offer_ownership(olga, adam.membership, actor=me(olga))
    assert (role_of(olga), role_of(adam)) == ("owner", "admin")
    with pytest.raises(NotWaitingError):
        seats.accept_ownership(mia, actor=me(mia))
    seats.accept_ownership(adam, actor=me(adam))
    assert (role_of(olga), role_of(adam)) == ("admin", "owner")
    with pytest.raises(NotWaitingError):  # pressed twice
        seats.accept_ownership(adam, actor=me(adam))


def test_one_offer_at_a_time_and_for_seven_days(olga: Seat, adam: Seat, mia: Seat) -> None:
    seats.offer_ownership(olga, adam.membership, actor=me(olga))
    seats.offer_ownership(olga, mia.membership, actor=me(olga))
    with pytest.raises(NotWaitingError):
        seats.accept_ownership(adam, actor=me(adam))
    with clock.travelled(timedelta(days=7, seconds=1)), pytest.raises(NotWaitingError):
        seats.accept_ownership(mia, actor=me(mia))
    seats.take_offer_back(olga, mia.membership, actor=me(olga))
    with pytest.raises(NotWaitingError):
        seats.accept_ownership(mia, actor=me(mia))


def test_only_an_owner_offers(olga: Seat, adam: Seat, mia: Seat) -> None:
    with pytest.raises(NotAllowedError):
        seats.offer_ownership(adam, mia.membership, actor=me(adam))
    seats.offer_ownership(olga, mia.membership, actor=me(olga))
    with pytest.raises(NotAllowedError):
        seats.take_offer_back(adam, mia.membership, actor=me(adam))
    assert seats.take_offer_back(mia, mia.membership, actor=me(mia))


def test_an_offer_of_somebody_who_owns_it_no_longer(olga: Seat, adam: Seat) -> None:
    seats.offer_ownership(olga, adam.membership, actor=me(olga))
    Membership.objects.filter(pk=olga.membership.pk).update(role="member")
    with pytest.raises(NotWaitingError):
        seats.accept_ownership(adam, actor=me(adam))


def test_whoever_lost_the_role_meanwhile_decides_nothing(olga: Seat, adam: Seat, mia: Seat) -> None:
    """As in a second tab that was open since before."""
    Membership.objects.filter(pk=adam.membership.pk).update(role="member")
    with pytest.raises(NotWaitingError):
        seats.remove(adam, mia.membership, actor=me(adam))


def test_a_device_is_given_to_another_member(olga: Seat, adam: Seat, mia: Seat) -> None:
    device = add_device(olga.account, name="laptop", actor=me(olga))
    assert seats.move_device(adam, device, to=mia.membership, actor=me(adam))
    assert not seats.move_device(adam, device, to=mia.membership, actor=me(adam))
    device.refresh_from_db()
    assert device.member == mia.membership
    assert seats.move_device(adam, device, to=None, actor=me(adam))
    assert not seats.move_device(adam, device, to=None, actor=me(adam))
    assert seats.move_device(adam, device, to=mia.membership, actor=me(adam))
    with pytest.raises(NotAllowedError):
        seats.move_device(mia, device, to=None, actor=me(mia))
    other = open_account(person("bob@example.org"))
    stranger = seat_in(other, "eve@example.org", "member")
    with pytest.raises(NotAllowedError):
        seats.move_device(olga, device, to=stranger.membership, actor=me(olga))


@pytest.mark.parametrize("who", ["adam", "mia"])
def test_a_device_is_moved_by_and_to_who_is_still_there(
    olga: Seat, adam: Seat, mia: Seat, who: str
) -> None:
    device = add_device(olga.account, name="laptop", actor=me(olga))
    seats.remove(olga, {"adam": adam, "mia": mia}[who].membership, actor=me(olga))
    with pytest.raises(NotWaitingError):
        seats.move_device(adam, device, to=mia.membership, actor=me(adam))
