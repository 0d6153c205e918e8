"""Invitations: once, for seven days, for one address."""

from datetime import timedelta

import pytest

from accounts.access import Seat
from accounts.audit import Actor
from accounts.members import invitations, seats
from accounts.members.errors import (
    AccountClosedError,
    MemberError,
    NotAllowedError,
    NotWaitingError,
    TooManyError,
)
from accounts.members.invitations import NewInvitation, accept, invite
from accounts.models import Account, AuditEvent, Invitation, Membership
from backup_service import clock
from tests.unit.website.conftest import person

pytestmark = pytest.mark.django_db


def by(seat: Seat, email: str = "new@example.org", role: str = "member") -> NewInvitation:
    return invite(seat, email=email, role=role, actor=Actor.person(seat.user))


def accepted(made: NewInvitation, email: str = "new@example.org") -> Membership:
    user = person(email)
    return accept(made.invitation, user, confirmed=[email], actor=Actor.person(user))


def test_from_invitation_to_seat(olga: Seat) -> None:
    made = by(olga, "  New@Example.org ")
    assert made.token not in str(Invitation.objects.values().get())
    assert invitations.find(invitations.digest_of(made.token)) == made.invitation
    seat = accepted(made)
    assert (seat.account, seat.role) == (olga.account, "member")
    verbs = list(AuditEvent.objects.order_by("pk").values_list("verb", flat=True))
    assert verbs[-2:] == ["member.invite", "member.join"]


def test_it_serves_once(olga: Seat) -> None:
    made = by(olga)
    seat = accepted(made)
    seat.delete()
    with pytest.raises(NotWaitingError):
        accept(
            made.invitation, seat.user, confirmed=[seat.user.email], actor=Actor.person(seat.user)
        )


def test_it_ends_after_seven_days(olga: Seat) -> None:
    made = by(olga)
    with clock.travelled(timedelta(days=7, seconds=1)):
        assert not invitations.is_waiting(made.invitation)
        with pytest.raises(NotWaitingError):
            accepted(made)


def test_it_can_be_taken_back(olga: Seat) -> None:
    made = by(olga)
    assert invitations.revoke(olga, made.invitation, actor=Actor.person(olga.user))
    assert not invitations.revoke(olga, made.invitation, actor=Actor.person(olga.user))
    with pytest.raises(NotWaitingError):
        accepted(made)


def test_another_invitation_ends_the_first(olga: Seat) -> None:
    first, second = by(olga), by(olga, role="auditor")
    with pytest.raises(NotWaitingError):
        accepted(first)
    user = Membership.objects.exclude(pk=olga.membership.pk).first()
    assert user is None
    found = accept(
        second.invitation,
        olga.user.__class__.objects.get(email="new@example.org"),
        confirmed=["NEW@example.org"],
        actor=Actor.person(olga.user),
    )
    assert found.role == "auditor"


def test_it_is_for_whom_it_was_sent_to(olga: Seat) -> None:
    made = by(olga)
    eve = person("eve@example.org")
    with pytest.raises(NotAllowedError):
        accept(made.invitation, eve, confirmed=["eve@example.org"], actor=Actor.person(eve))
    assert invitations.is_waiting(made.invitation)


def test_a_member_is_not_invited_and_keeps_the_seat(olga: Seat, adam: Seat) -> None:
    with pytest.raises(MemberError, match="is a member already"):
        by(olga, "ADAM@example.org")
    made = by(olga)
    user = person("new@example.org")
    Membership.objects.create(account=olga.account, user=user, role="auditor")
    seat = accept(made.invitation, user, confirmed=[user.email], actor=Actor.person(user))
    assert seat.role == "auditor"


@pytest.mark.parametrize("role", ["owner", "admin", "king"])
def test_an_admin_invites_nobody_above(adam: Seat, role: str) -> None:
    with pytest.raises(NotAllowedError):
        by(adam, role=role)
    with pytest.raises(NotAllowedError):
        invitations.revoke(
            adam, Invitation(role="admin", account=adam.account), actor=Actor.person(adam.user)
        )


@pytest.mark.parametrize("became", ["member", "nobody"])
def test_who_lost_the_right_meanwhile_decides_nothing(olga: Seat, adam: Seat, became: str) -> None:
    made = by(olga)
    if became == "nobody":
        Membership.objects.filter(pk=adam.membership.pk).delete()
    else:
        Membership.objects.filter(pk=adam.membership.pk).update(role=became)
    with pytest.raises(NotWaitingError, match="changed meanwhile"):
        by(adam, "accomplice@example.org")
    with pytest.raises(NotWaitingError, match="changed meanwhile"):
        invitations.revoke(adam, made.invitation, actor=Actor.person(adam.user))
    assert invitations.is_waiting(made.invitation)


def test_no_invitation_leads_back_who_was_removed(olga: Seat, adam: Seat) -> None:
    made, other = by(adam, "adam@elsewhere.example"), by(olga)
    seats.remove(olga, adam.membership, actor=Actor.person(olga.user))
    with pytest.raises(NotWaitingError):
        accepted(made, "adam@elsewhere.example")
    assert invitations.is_waiting(other.invitation)
    verbs = list(AuditEvent.objects.order_by("pk").values_list("verb", "subject"))
    assert ("member.uninvite", "adam@elsewhere.example") in verbs


def test_with_a_smaller_role_go_the_invitations_that_it_does_not_allow(
    olga: Seat, adam: Seat
) -> None:
    made = by(adam, role="auditor")
    seats.change_role(olga, adam.membership, role="member", actor=Actor.person(olga.user))
    assert not invitations.is_waiting(made.invitation)


def test_nobody_joins_a_closed_account(olga: Seat) -> None:
    made = by(olga)
    Account.objects.update(state="closed")
    with pytest.raises(AccountClosedError):
        accepted(made)
    with pytest.raises(AccountClosedError):
        by(olga, "other@example.org")


def test_members_and_mails_are_bounded(olga: Seat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invitations, "MOST_MEMBERS", 3)
    by(olga, "a@example.org")
    made = by(olga, "b@example.org")
    with pytest.raises(TooManyError):
        by(olga, "c@example.org")
    monkeypatch.setattr(invitations, "MOST_MEMBERS", 1)
    with pytest.raises(TooManyError):
        accepted(made, "b@example.org")
    monkeypatch.setattr(invitations, "MOST_A_DAY", 2)
    monkeypatch.setattr(invitations, "MOST_MEMBERS", 10)
    with pytest.raises(TooManyError, match="a day"):
        by(olga, "c@example.org")
