"""Who may see and do what: one table of rights, for roles and for scopes of API tokens."""

from collections.abc import Mapping
from enum import StrEnum

from accounts.models import ApiToken, Membership

Role = Membership.Role
Scope = ApiToken.Scope


class Right(StrEnum):
    """Something that a person in an account may see or do. A value completes "you may ..."."""

    SEE_OWN_BACKUPS = "see the backups of your own computers"
    SEE_ALL_BACKUPS = "see the backups of everybody's computers"
    CHANGE_BACKUPS = "change computers, vaults and credentials that you see"
    MOVE_DEVICES = "give computers to another member"
    SEE_OWN_ACTIVITY = "see what you did, and what you were told"
    SEE_ALL_ACTIVITY = "see what everybody did"
    CHANGE_OWN_MAIL = "choose what you are mailed about"
    SEE_MEMBERS = "see who is a member"
    CHANGE_MEMBERS = "invite and remove members"
    SEE_BILLING = "see plan and invoices"
    CHANGE_BILLING = "change plan and payment"
    CHANGE_ACCOUNT = "change the account's name and settings"
    CHANGE_TOKENS = "make and revoke API tokens"
    TRANSFER_ACCOUNT = "give the account to somebody else"
    CLOSE_ACCOUNT = "close the account"


_EVERYBODY = frozenset(
    {
        Right.SEE_OWN_BACKUPS,
        Right.SEE_OWN_ACTIVITY,
        Right.CHANGE_OWN_MAIL,
        Right.SEE_MEMBERS,
    }
)
_SEES_ALL = _EVERYBODY | {Right.SEE_ALL_BACKUPS, Right.SEE_ALL_ACTIVITY, Right.SEE_BILLING}
_RUNS_IT = _SEES_ALL | {
    Right.CHANGE_BACKUPS,
    Right.MOVE_DEVICES,
    Right.CHANGE_MEMBERS,
    Right.CHANGE_ACCOUNT,
    Right.CHANGE_TOKENS,
}

OF_ROLE: Mapping[str, frozenset[Right]] = {
    Role.OWNER: frozenset(Right),
    Role.ADMIN: _RUNS_IT,
    Role.MEMBER: _EVERYBODY | {Right.CHANGE_BACKUPS},
    Role.AUDITOR: _SEES_ALL,
}
# A token has those of its scope that the member has too who made it.
OF_SCOPE: Mapping[str, frozenset[Right]] = {
    Scope.READ: _SEES_ALL - {Right.CHANGE_OWN_MAIL},
    Scope.WRITE: _RUNS_IT,
    Scope.BILLING: frozenset({Right.SEE_BILLING, Right.CHANGE_BILLING}),
}
# Whom a role may invite, change into, and remove; ownership changes hands by a transfer only.
MANAGES: Mapping[str, frozenset[str]] = {
    Role.OWNER: frozenset({Role.ADMIN, Role.MEMBER, Role.AUDITOR}),
    Role.ADMIN: frozenset({Role.MEMBER, Role.AUDITOR}),
    Role.MEMBER: frozenset(),
    Role.AUDITOR: frozenset(),
}
# Whom a program decides about, whoever made its token. An admin makes tokens, so a program that
# made admins could get further than its own token goes.
BY_PROGRAM = tuple(sorted(MANAGES[Role.ADMIN]))
MEANING: Mapping[str, str] = {
    Role.OWNER: "everything, including payment",
    Role.ADMIN: "everybody's computers and backups, members and settings; sees invoices",
    Role.MEMBER: "their own computers and backups",
    Role.AUDITOR: "sees everything and changes nothing",
}


def may(role: str, right: Right) -> bool:
    """Return whether a role has a right."""
    return right in OF_ROLE.get(role, frozenset())


def manages(role: str, other: str) -> bool:
    """Return whether somebody in `role` decides about a seat in the role `other`."""
    return other in MANAGES.get(role, frozenset())
