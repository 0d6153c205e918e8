"""The answer to "why are uploads refused?", in words."""

from datetime import UTC, datetime

import pytest

from billing.entitlements import FROZEN, Entitlements
from billing.models import Plan
from billing.state import AccountState, State
from storage.admin.verdict import OF_STATE, verdict
from storage.models import Vault

GB = 10**9
AT = datetime(2026, 11, 30, 9, 30, tzinfo=UTC)


def state(used: int = 0, *, name: State = State.NORMAL, reason: str = "") -> AccountState:
    allowed = Entitlements(
        quota=10 * GB,
        copies=2,
        device_limit=None,
        rooms=False,
        may_store=not reason,
        may_remove=True,
        may_restore=True,
        reason=reason,
    )
    return AccountState(Plan(), None, allowed, name, used, None, [], None)


def refused(status: int) -> Vault:
    return Vault(name="laptop", refused_at=AT, refused_status=status, refused_text="No.")


def test_all_is_well() -> None:
    found = verdict(state(GB), [])
    assert (found.is_refused, found.headline, found.advice) == (False, "Uploads are taken.", ())
    assert "9\u00a0GB are left" in found.reasons[0]


def test_room_is_short() -> None:
    found = verdict(state(96 * GB // 10), [])
    assert not found.is_refused
    assert "it is short" in found.headline


@pytest.mark.parametrize("name", list(OF_STATE))
def test_states_that_refuse_say_so_and_what_to_do(name: State) -> None:
    found = verdict(state(GB, name=name, reason=FROZEN), [refused(403)])
    assert found.is_refused
    assert OF_STATE[name][0] in found.headline
    assert found.reasons[0] == FROZEN
    assert found.advice


def test_every_state_that_may_not_store_has_words() -> None:
    assert set(State) - set(OF_STATE) == {State.NORMAL, State.GRACE}


def test_an_upload_that_did_not_fit() -> None:
    found = verdict(state(99 * GB // 10), [refused(507)])
    assert found.is_refused
    assert "does not fit" in found.headline
    assert "30 November 2026, 09:30" in found.reasons[1]


def test_room_that_was_made_meanwhile() -> None:
    found = verdict(state(GB), [refused(507)])
    assert not found.is_refused
    assert "taken again" in found.headline


def test_a_refusal_that_is_not_the_accounts_fault() -> None:
    found = verdict(state(GB), [refused(403)])
    assert found.is_refused
    assert "though the account may store" in found.headline
    assert "No." in found.reasons[0]
