"""Invites people into an account by mail, and seats whoever the address belongs to."""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext

from accounts import audit
from accounts.access import Seat
from accounts.audit import Actor
from accounts.members.asking import lock_for
from accounts.members.errors import (
    AccountClosedError,
    MemberError,
    NotAllowedError,
    NotWaitingError,
    TooManyError,
)
from accounts.models import Account, Invitation, Membership, User
from accounts.roles import manages, role_word
from backup_service import clock

LIFETIME = timedelta(days=7)
KEPT = "invitation"  # the session's key for the digest of a token whose link was opened
MOST_MEMBERS = 100  # of an account, those invited included
MOST_A_DAY = 50  # invitations of an account, whatever became of them: each is a mail to a stranger


@dataclass(frozen=True)
class NewInvitation:
    """An invitation and its token, which goes into the mail and is kept nowhere."""

    invitation: Invitation
    token: str


@transaction.atomic
def invite(seat: Seat, *, email: str, role: str, actor: Actor) -> NewInvitation:
    """Invite whoever has an address; an earlier invitation of it ends.

    Raises NotAllowedError, NotWaitingError, TooManyError, AccountClosedError, or MemberError for a
    member. Whether the address has a sign-in here plays no part.
    """
    email = email.strip().lower()
    if not manages(seat.role, role):
        roles = {"seat_role": role_word(seat.role), "role": role_word(role)}
        said = gettext("As %(seat_role)s you cannot invite somebody as %(role)s.")
        raise NotAllowedError(said % roles)
    account = lock_for(seat)
    if account.is_closed:
        raise AccountClosedError
    now = clock.now()
    if account.memberships.filter(user__email__iexact=email).exists():
        raise MemberError(gettext("%(email)s is a member already.") % {"email": email})
    waiting = Invitation.objects.waiting(now).filter(account=account)
    waiting.filter(email=email).update(revoked_at=now)
    if account.memberships.count() + waiting.count() >= MOST_MEMBERS:
        raise TooManyError(
            gettext("An account has at most %(most_members)s members and invitations.")
            % {"most_members": MOST_MEMBERS}
        )
    since = now - timedelta(days=1)
    if account.invitations.filter(created_at__gt=since).count() >= MOST_A_DAY:
        said = gettext("At most %(most_a_day)s invitations a day. Please go on tomorrow.")
        raise TooManyError(said % {"most_a_day": MOST_A_DAY})
    token = secrets.token_urlsafe(32)
    invitation = Invitation.objects.create(
        account=account,
        email=email,
        role=role,
        digest=digest_of(token),
        invited_by=seat.user,
        created_at=now,
        expires_at=now + LIFETIME,
    )
    audit.record(actor, "member.invite", email, account=account, role=role)
    return NewInvitation(invitation, token)


def find(digest: str) -> Invitation | None:
    """Return the invitation of a token's digest, whatever became of it."""
    found = Invitation.objects.filter(digest=digest)
    return found.select_related("account", "invited_by").first()


def is_waiting(invitation: Invitation) -> bool:
    """Return whether an invitation can still be accepted."""
    return Invitation.objects.waiting(clock.now()).filter(pk=invitation.pk).exists()


def waiting_of(account: Account) -> QuerySet[Invitation]:
    """Return an account's invitations that can still be accepted, the newest first."""
    return Invitation.objects.waiting(clock.now()).filter(account=account).order_by("-pk")


@transaction.atomic
def revoke(seat: Seat, invitation: Invitation, *, actor: Actor) -> bool:
    """Take an invitation back; return whether it still could be accepted.

    Raises NotAllowedError, NotWaitingError.
    """
    if not manages(seat.role, invitation.role):
        raise NotAllowedError(
            gettext("As %(seat_role)s you cannot take this invitation back.")
            % {"seat_role": role_word(seat.role)}
        )
    return _take_back(invitation, lock_for(seat), actor)


def end_beyond(role: str | None, member: Membership, *, actor: Actor) -> None:
    """Take back what somebody invited and could not invite in `role`, or without a seat (None).

    The account is locked.
    """
    made = Invitation.objects.waiting(clock.now()).filter(invited_by=member.user)
    for invitation in made.filter(account=member.account).order_by("pk"):
        if role is None or not manages(role, invitation.role):
            _take_back(invitation, member.account, actor)


def _take_back(invitation: Invitation, account: Account, actor: Actor) -> bool:
    now = clock.now()
    waiting = Invitation.objects.waiting(now).filter(pk=invitation.pk, account=account)
    revoked = waiting.update(revoked_at=now)
    if revoked:
        audit.record(actor, "member.uninvite", invitation.email, account=account)
    return bool(revoked)


@transaction.atomic
def accept(
    invitation: Invitation, user: User, *, confirmed: Collection[str], actor: Actor
) -> Membership:
    """Seat a person whose confirmed addresses include the one that was invited.

    Somebody who is a member already keeps the seat as it is. Raises NotAllowedError for somebody
    else, NotWaitingError, AccountClosedError or TooManyError.
    """
    if invitation.email not in {address.lower() for address in confirmed}:
        raise NotAllowedError(gettext("This invitation is for another e-mail address."))
    account = _locked(invitation.account)
    now = clock.now()
    waiting = Invitation.objects.waiting(now).filter(pk=invitation.pk)
    if not waiting.update(accepted_at=now, accepted_by=user):
        raise NotWaitingError(gettext("This invitation was used, taken back, or is too old."))
    seat = account.memberships.filter(user=user).first()
    if seat is not None:
        return seat
    if account.memberships.count() >= MOST_MEMBERS:
        raise TooManyError(gettext("This account has as many members as it may have."))
    seat = Membership.objects.create(account=account, user=user, role=invitation.role)
    audit.record(actor, "member.join", user.email, account=account, role=seat.role)
    return seat


def _locked(account: Account) -> Account:
    """Return the account as it is now, its row locked. Raises AccountClosedError."""
    now = Account.objects.select_for_update(no_key=True).get(pk=account.pk)
    if now.is_closed:
        raise AccountClosedError
    return now


def digest_of(token: str) -> str:
    """Return what is kept of a token: its SHA-256, hexadecimal."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
