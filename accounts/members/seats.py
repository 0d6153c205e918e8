"""Changes seats: roles, removal, leaving, and the transfer of an account to another member."""

from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext

from accounts import audit
from accounts.access import Seat
from accounts.audit import Actor
from accounts.members.asking import changed, lock_for
from accounts.members.errors import LastOwnerError, NotAllowedError, NotWaitingError
from accounts.members.invitations import end_beyond
from accounts.models import Device, Membership
from accounts.roles import Right, manages, role_word
from accounts.tokens.tokens import revoke_all_of
from backup_service import clock

OFFER = timedelta(days=7)  # for which a member may accept the account
Role = Membership.Role


@transaction.atomic
def change_role(seat: Seat, member: Membership, *, role: str, actor: Actor) -> bool:
    """Give a member another role; return whether it changed. Raises NotAllowedError."""
    found = _locked(seat, member)
    if found.user_id == seat.user.pk:
        raise NotAllowedError(gettext("You cannot change your own role; ask another one."))
    if not manages(seat.role, found.role) or not manages(seat.role, role):
        raise NotAllowedError(
            gettext("As %(seat_role)s you cannot make a %(found_role)s %(role)s.")
            % {
                "seat_role": role_word(seat.role),
                "found_role": role_word(found.role),
                "role": role_word(role),
            }
        )
    if found.role == role:
        return False
    before, found.role = found.role, role
    found.save(update_fields=["role"])
    about = {"role": role, "before": before}
    audit.record(actor, "member.role", found.user.email, account=seat.account, **about)
    end_beyond(role, found, actor=actor)
    return True


@transaction.atomic
def remove(seat: Seat, member: Membership, *, actor: Actor) -> None:
    """Take a member's seat away; their devices stay in the account, their tokens end.

    So do the invitations that they made: one of them might lead back. Raises NotAllowedError.
    """
    found = _locked(seat, member)
    if not manages(seat.role, found.role):
        raise NotAllowedError(
            gettext("As %(seat_role)s you cannot remove a member who is %(found_role)s.")
            % {"seat_role": role_word(seat.role), "found_role": role_word(found.role)}
        )
    end_beyond(None, found, actor=actor)
    _end(found, verb="member.remove", actor=actor)


@transaction.atomic
def leave(seat: Seat, *, actor: Actor) -> None:
    """Give one's own seat up. Raises LastOwnerError."""
    found = _locked(seat, seat.membership)
    others = seat.account.memberships.filter(role=Role.OWNER).exclude(pk=found.pk)
    if found.role == Role.OWNER and not others.exists():
        raise LastOwnerError
    _end(found, verb="member.leave", actor=actor)


@transaction.atomic
def offer_ownership(seat: Seat, member: Membership, *, actor: Actor) -> None:
    """Offer the account to a member; an offer to another one ends. Raises NotAllowedError."""
    found = _locked(seat, member)
    if not seat.may(Right.TRANSFER_ACCOUNT) or found.role == Role.OWNER:
        raise NotAllowedError(
            gettext("Only an owner gives the account away, and to another member.")
        )
    seat.account.memberships.exclude(offered_at=None).update(offered_at=None, offered_by=None)
    found.offered_at, found.offered_by = clock.now(), seat.user
    found.save(update_fields=["offered_at", "offered_by"])
    audit.record(actor, "member.offer", found.user.email, account=seat.account)


@transaction.atomic
def take_offer_back(seat: Seat, member: Membership, *, actor: Actor) -> bool:
    """End an offer, as the owner or as whom it was made to; return whether there was one.

    Raises NotAllowedError.
    """
    found = _locked(seat, member)
    if not seat.may(Right.TRANSFER_ACCOUNT) and found.user_id != seat.user.pk:
        raise NotAllowedError(gettext("Only an owner takes an offer of the account back."))
    if found.offered_at is None:
        return False
    found.offered_at = found.offered_by = None
    found.save(update_fields=["offered_at", "offered_by"])
    audit.record(actor, "member.offer-back", found.user.email, account=seat.account)
    return True


@transaction.atomic
def accept_ownership(seat: Seat, *, actor: Actor) -> None:
    """Take an account over that was offered; who offered it becomes an admin.

    Raises NotWaitingError where the offer ended, is too old, or was made by somebody who is no
    longer an owner.
    """
    found = _locked(seat, seat.membership)
    owner = seat.account.memberships.filter(user=found.offered_by, role=Role.OWNER).first()
    if found.offered_at is None or found.offered_at < clock.now() - OFFER or owner is None:
        raise NotWaitingError(
            gettext("This account is no longer offered to you. Ask its owner again.")
        )
    owner.role = Role.ADMIN
    owner.save(update_fields=["role"])
    found.role, found.offered_at, found.offered_by = Role.OWNER, None, None
    found.save(update_fields=["role", "offered_at", "offered_by"])
    about = {"before": owner.user.email}
    audit.record(actor, "member.own", found.user.email, account=seat.account, **about)


@transaction.atomic
def move_device(seat: Seat, device: Device, *, to: Membership | None, actor: Actor) -> bool:
    """Give a device to another member, or to nobody; return whether it changed.

    Raises NotAllowedError, NotWaitingError.
    """
    if not seat.may(Right.MOVE_DEVICES) or (to and to.account_id != seat.account.pk):
        raise NotAllowedError(gettext("Only an owner or admin gives computers to another member."))
    account = lock_for(seat)
    if to is not None and not account.memberships.filter(pk=to.pk).exists():
        raise changed()
    own = Device.objects.filter(pk=device.pk, account=account)
    # Not exclude(member=to): of a device that is nobody's, SQL compares null with nothing.
    moved = (
        own.filter(~Q(member=to) | Q(member=None)).update(member=to)
        if to
        else (own.filter(member__isnull=False).update(member=None))
    )
    if moved:
        audit.record(
            actor,
            "device.move",
            device.public_id,
            account=seat.account,
            name=device.name,
            to=to.user.email if to else "nobody in particular",
        )
    return bool(moved)


def _end(member: Membership, *, verb: str, actor: Actor) -> None:
    revoke_all_of(member, actor=actor)
    audit.record(actor, verb, member.user.email, account=member.account)
    member.delete()


def _locked(seat: Seat, member: Membership) -> Membership:
    """Return a member as they are now, the account's row locked.

    Raises NotWaitingError if they, or who asks, are members no longer, or in another role by now.
    """
    account = lock_for(seat)
    found = account.memberships.select_related("user", "account").filter(pk=member.pk).first()
    if found is None:
        raise changed()
    return found
