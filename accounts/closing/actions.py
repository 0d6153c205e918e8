"""Closes an account, opens it again, and has one erased early: each a transaction."""

from typing import Any

from django.db import transaction
from django.utils.translation import gettext

from accounts import audit
from accounts.audit import Actor
from accounts.closing.plan import CAN_REOPEN, COOLING_OFF, may_reopen
from accounts.models import Account, ApiToken, Closing
from accounts.notifications.notify import notify
from accounts.notifications.wording import iso
from backup_service import clock

CLOSED, REOPENED = "account-closed", "account-reopened"
LONGEST_NOTE = 200


class ClosingError(Exception):
    """What is asked for cannot be done. The text says why, and what to do."""


class AlreadyClosedError(ClosingError):
    """The account is closed."""

    def __init__(self) -> None:
        super().__init__(gettext("This account is closed already."))


class TooLateError(ClosingError):
    """The account is not closed, or its erasure has begun."""

    def __init__(self) -> None:
        super().__init__(
            gettext("This account is not closed, or it is too late: its erasure has begun.")
        )


@transaction.atomic
def close(account: Account, *, reason: str, actor: Actor, note: str = "") -> Closing:
    """Close an account: frozen at once, erased when the cooling-off is over.

    Its owners and admins are told. Raises AlreadyClosedError.
    """
    locked = _locked(account)
    if locked.is_closed:
        raise AlreadyClosedError
    now = clock.now()
    closing = Closing.objects.create(
        account=locked,
        reason=Closing.Reason(reason),
        state_before=locked.state,
        closed_at=now,
        erase_after=now + COOLING_OFF,
        next_attempt_at=now,
    )
    _move(locked, Account.State.CLOSED, closed_at=now)
    until = iso(closing.erase_after)
    about = {"why": closing.get_reason_display(), "until": until, "note": note[:LONGEST_NOTE]}
    audit.record(actor, "account.close", locked.public_id, account=locked, **about)
    values: dict[str, Any] = {
        "name": locked.name,
        "why": about["why"],
        "until": until,
        "reason": reason,
    }
    notify(locked, CLOSED, key=f"closed:{now:%Y%m%dT%H%M%SZ}", **values)
    account.state, account.closed_at = locked.state, locked.closed_at
    return closing


@transaction.atomic
def reopen(account: Account, *, actor: Actor, note: str = "") -> None:
    """Open a closed account again; its plan stays ended. Raises TooLateError."""
    locked = _locked(account)
    now = clock.now()
    closing = Closing.objects.filter(account=locked, step__in=CAN_REOPEN).first()
    if closing is None or not may_reopen(closing, now):
        raise TooLateError
    state = closing.state_before
    closing.delete()
    _move(locked, state, closed_at=None)
    audit.record(
        actor, "account.reopen", locked.public_id, account=locked, note=note[:LONGEST_NOTE]
    )
    notify(locked, REOPENED, key=f"reopened:{now:%Y%m%dT%H%M%SZ}", name=locked.name)
    account.state, account.closed_at = locked.state, None


@transaction.atomic
def hasten(account: Account, *, actor: Actor, note: str) -> Closing:
    """Have a closed account erased from now on, without the rest of its cooling-off.

    It is for staff, once whoever asks for it has proved who they are by another channel; `note`
    says how. Raises TooLateError, or ClosingError without a note.
    """
    if not note.strip():
        raise ClosingError(gettext("Say why, and how it was proved who asks for it."))
    locked = _locked(account)
    closings = Closing.objects.filter(account=locked, step__in=CAN_REOPEN)
    now = clock.now()
    if not closings.update(is_hastened=True, erase_after=now, next_attempt_at=now):
        raise TooLateError
    note = note.strip()[:LONGEST_NOTE]
    audit.record(actor, "account.erase-now", locked.public_id, account=locked, note=note)
    return closings.get()


@transaction.atomic
def begin_erasure(closing: Closing) -> bool:
    """Take the step from which nothing comes back; return whether it was taken.

    From then on nobody gets into the account.
    """
    account = _locked(closing.account)
    waiting = Closing.objects.filter(
        pk=closing.pk, step=Closing.Step.COOLING, erase_after=closing.erase_after
    )
    if not waiting.update(step=Closing.Step.KEYS, attempts=0, error=""):
        return False
    closing.step = Closing.Step.KEYS
    _move(account, Account.State.ERASED, closed_at=account.closed_at)
    ApiToken.objects.filter(account=account, revoked_at=None).update(revoked_at=clock.now())
    audit.record(audit.SERVICE, "account.erase", account.public_id, account=account)
    return True


def _locked(account: Account) -> Account:
    return Account.objects.select_for_update(no_key=True).get(pk=account.pk)


def _move(account: Account, state: str, *, closed_at: object) -> None:
    account.state, account.closed_at = state, closed_at  # type: ignore[assignment]
    account.save(update_fields=["state", "closed_at"])
