"""Says in words whether an account's uploads are refused, why, and what would end that."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from accounts.templatetags.amounts import amount
from billing.state import AccountState, State
from storage.models import Vault

NEARLY_FULL = 95  # per cent
OF_STATE = {
    State.CLOSED: ("the account is closed", "It has to be opened again."),
    State.FROZEN: ("the account is frozen", "Lift the freeze, if its reason is gone."),
    State.OVER_CAP: (
        "more is stored than there is room for",
        "Grant room, or have the owner choose a larger plan or remove old snapshots.",
    ),
    State.READ_ONLY: (
        "a payment is overdue",
        "The owner pays on the page Billing, or extend the grace.",
    ),
    State.RESTORE_ONLY: (
        "a payment has been overdue for more than 60 days",
        "The owner pays on the page Billing, or extend the grace.",
    ),
    State.ENDED: (
        "a payment has been overdue for more than 90 days",
        "The owner pays on the page Billing, or extend the grace.",
    ),
}


@dataclass(frozen=True)
class Verdict:
    """The answer: a headline, the reasons, and what to do. `is_refused`: uploads are, now."""

    is_refused: bool
    headline: str
    reasons: Sequence[str] = ()
    advice: Sequence[str] = ()


def verdict(state: AccountState, refused: Sequence[Vault]) -> Verdict:
    """Judge by the account first, then by what its vaults (`refused`) were told last."""
    if not state.allowed.may_store:
        why, advice = OF_STATE.get(state.state, ("of how the account stands", ""))
        return Verdict(
            True,
            f"Uploads are refused: {why}.",
            [state.allowed.reason, _room(state)],
            [advice] if advice else [],
        )
    if refused:
        return _of_vaults(state, refused)
    if state.percent >= NEARLY_FULL:
        advice = "Grant room, or have the owner choose a larger plan, before it is full."
        return Verdict(
            False,
            "Uploads are taken while there is room, and it is short.",
            [_room(state)],
            [advice],
        )
    return Verdict(False, "Uploads are taken.", [_room(state)])


def _of_vaults(state: AccountState, refused: Sequence[Vault]) -> Verdict:
    """Judge an account that may store, and of whose vaults some were refused all the same."""
    told = [
        f"{vault.name}: refused with {vault.refused_status} on {vault.refused_at:%-d %B %Y, %H:%M} "
        f"UTC, and no backup since: {vault.refused_text}"
        for vault in refused
    ]
    is_full = any(vault.refused_status == HTTPStatus.INSUFFICIENT_STORAGE for vault in refused)
    if is_full and state.percent >= NEARLY_FULL:
        return Verdict(
            True,
            "Uploads are refused: what was sent does not fit into the plan any more.",
            [_room(state), *told],
            [OF_STATE[State.OVER_CAP][1]],
        )
    if is_full:
        return Verdict(
            False,
            "Uploads are taken again; they were refused, and the computer has not tried since.",
            [_room(state), *told],
            ["The next backup goes through if it fits. The owner may start it now."],
        )
    return Verdict(
        True,
        "Backups are refused, though the account may store.",
        [*told, _room(state)],
        ["What the refusal says is what the computer or its credential has to change."],
    )


def _room(state: AccountState) -> str:
    left = state.quota - state.used
    rest = f"{amount(left)} are left" if left >= 0 else f"that is {amount(-left)} too much"
    return f"{amount(state.used)} of {amount(state.quota)} are used ({state.percent} %); {rest}."
