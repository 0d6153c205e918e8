"""The table of rights, read aloud."""

import pytest

from accounts.models import ApiToken, Membership
from accounts.roles import MANAGES, MEANING, OF_ROLE, OF_SCOPE, Right, manages, may

R = Right
#                          owner admin  member auditor
TABLE = {
    R.SEE_OWN_BACKUPS: (True, True, True, True),
    R.SEE_ALL_BACKUPS: (True, True, False, True),
    R.CHANGE_BACKUPS: (True, True, True, False),
    R.MOVE_DEVICES: (True, True, False, False),
    R.SEE_OWN_ACTIVITY: (True, True, True, True),
    R.SEE_ALL_ACTIVITY: (True, True, False, True),
    R.CHANGE_OWN_MAIL: (True, True, True, True),
    R.SEE_MEMBERS: (True, True, True, True),
    R.CHANGE_MEMBERS: (True, True, False, False),
    R.SEE_BILLING: (True, True, False, True),
    R.CHANGE_BILLING: (True, False, False, False),
    R.CHANGE_ACCOUNT: (True, True, False, False),
    R.CHANGE_TOKENS: (True, True, False, False),
    R.TRANSFER_ACCOUNT: (True, False, False, False),
    R.CLOSE_ACCOUNT: (True, False, False, False),
}
ROLES = ("owner", "admin", "member", "auditor")
#                    owner  admin  member auditor
MANAGING = {
    "owner": (False, True, True, True),
    "admin": (False, False, True, True),
    "member": (False, False, False, False),
    "auditor": (False, False, False, False),
}
#                          read  write  billing full
SCOPES = {
    R.SEE_OWN_BACKUPS: (True, True, False, True),
    R.SEE_ALL_BACKUPS: (True, True, False, True),
    R.CHANGE_BACKUPS: (False, True, False, True),
    R.MOVE_DEVICES: (False, True, False, True),
    R.SEE_OWN_ACTIVITY: (True, True, False, True),
    R.SEE_ALL_ACTIVITY: (True, True, False, True),
    R.CHANGE_OWN_MAIL: (False, True, False, True),
    R.SEE_MEMBERS: (True, True, False, True),
    R.CHANGE_MEMBERS: (False, True, False, True),
    R.SEE_BILLING: (True, True, True, True),
    R.CHANGE_BILLING: (False, False, True, True),
    R.CHANGE_ACCOUNT: (False, True, False, True),
    R.CHANGE_TOKENS: (False, True, False, True),
    R.TRANSFER_ACCOUNT: (False, False, False, False),
    R.CLOSE_ACCOUNT: (False, False, False, True),
}


@pytest.mark.parametrize("right", Right)
def test_what_each_role_may(right: Right) -> None:
    assert tuple(may(role, right) for role in ROLES) == TABLE[right]


@pytest.mark.parametrize("right", Right)
def test_what_each_scope_may(right: Right) -> None:
    scopes = ("read", "write", "billing", "full")
    assert tuple(right in OF_SCOPE[scope] for scope in scopes) == SCOPES[right]


@pytest.mark.parametrize("role", ROLES)
def test_whom_each_role_decides_about(role: str) -> None:
    assert tuple(manages(role, other) for other in ROLES) == MANAGING[role]


def test_the_tables_name_all_there_are() -> None:
    assert set(Membership.Role.values) == set(OF_ROLE) == set(MANAGES) == set(MEANING) == set(ROLES)
    assert set(ApiToken.Scope.values) == set(OF_SCOPE)


def test_an_unknown_role_may_nothing() -> None:
    assert not any(may("king", right) for right in Right)
    assert not manages("king", "member")
