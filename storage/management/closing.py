"""What `manage.py account close|reopen|erase|closing` does."""

from typing import Any

from django.core.management.base import CommandError

from accounts.audit import OPERATOR
from accounts.closing import actions, work
from accounts.closing.actions import ClosingError
from accounts.models import Account, Closing
from billing.closing import reopen
from billing.lookup import NoSuchAccountError, account_named

ACTS = ("close", "reopen", "erase", "closing")


def act(options: dict[str, Any]) -> dict[str, Any]:
    """Do what is asked for; return how far the closing is. Raises CommandError."""
    if not options["account"]:
        raise CommandError("Say which account: --account E.")
    try:
        account = account_named(options["account"])
        _act(account, options)
    except (NoSuchAccountError, ClosingError) as error:
        raise CommandError(str(error)) from error
    return _shown(account)


def _act(account: Account, options: dict[str, Any]) -> None:
    note = options["reason"].strip()
    match options["action"]:
        case "close":
            actions.close(
                account, reason=Closing.Reason.OPERATOR, actor=OPERATOR, note=_needed(note)
            )
        case "reopen":
            reopen(account, actor=OPERATOR, note=note)
        case "erase":
            _erase(account, note=_needed(note), is_meant=options["yes"])


def _erase(account: Account, *, note: str, is_meant: bool) -> None:
    if not is_meant:
        raise CommandError(
            f"This destroys all that “{account}” has stored, for good, without the rest of the 30 "
            "days. Add --yes if that is meant."
        )
    row = Closing.objects.filter(account=account).first()
    if row is None:
        raise CommandError("Close the account first: account close.")
    if row.parked_at is not None:
        work.unpark(row)
    if row.step in (Closing.Step.SUBSCRIPTION, Closing.Step.COOLING):
        actions.hasten(account, actor=OPERATOR, note=note)


def _needed(note: str) -> str:
    if not note:
        raise CommandError("Say why: --reason R.")
    return note


def _shown(account: Account) -> dict[str, Any]:
    account.refresh_from_db()
    row = Closing.objects.filter(account=account).first()
    return {
        "account": account.public_id,
        "state": account.state,
        "why": row.reason if row else "",
        "closed_at": row.closed_at.isoformat(timespec="seconds") if row else None,
        "erase_after": row.erase_after.isoformat(timespec="seconds") if row else None,
        "step": row.step if row else "",
        "given_up": bool(row and row.parked_at),
        "error": row.error if row else "",
        "erased_at": row.ended_at.isoformat(timespec="seconds") if row and row.ended_at else None,
    }
