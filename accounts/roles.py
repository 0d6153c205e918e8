"""Who may see and do what: one table of rights, for roles and for scopes of API tokens."""

from collections.abc import Mapping
from enum import StrEnum

from django.utils.translation import gettext, gettext_noop

from accounts.models import ApiToken, Membership

Role = Membership.Role
Scope = ApiToken.Scope


class Right(StrEnum):
    """Something that a person in an account may see or do. A value completes "you may ..."."""

    SEE_OWN_BACKUPS = gettext_noop("see the backups of your own computers")
    SEE_ALL_BACKUPS = gettext_noop("see the backups of everybody's computers")
    CHANGE_BACKUPS = gettext_noop("change computers, vaults and credentials that you see")
    MOVE_DEVICES = gettext_noop("give computers to another member")
    SEE_OWN_ACTIVITY = gettext_noop("see what you did, and what you were told")
    SEE_ALL_ACTIVITY = gettext_noop("see what everybody did")
    CHANGE_OWN_MAIL = gettext_noop("choose what you are mailed about")
    SEE_MEMBERS = gettext_noop("see who is a member")
    CHANGE_MEMBERS = gettext_noop("invite and remove members")
    SEE_BILLING = gettext_noop("see plan and invoices")
    CHANGE_BILLING = gettext_noop("change plan and payment")
    CHANGE_ACCOUNT = gettext_noop("change the account's name and settings")
    CHANGE_TOKENS = gettext_noop("make and revoke API tokens")
    TRANSFER_ACCOUNT = gettext_noop("give the account to somebody else")
    CLOSE_ACCOUNT = gettext_noop("close the account")


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
    Scope.FULL: frozenset(Right) - {Right.TRANSFER_ACCOUNT},  # which no program may
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
# What the roles are called; `Membership.Role` has the same words.
ROLES = (
    gettext_noop("owner"),
    gettext_noop("admin"),
    gettext_noop("member"),
    gettext_noop("auditor"),
)
MEANING: Mapping[str, str] = {
    Role.OWNER: gettext_noop("everything, including payment"),
    Role.ADMIN: gettext_noop(
        "everybody's computers and backups, members and settings; sees invoices"
    ),
    Role.MEMBER: gettext_noop("their own computers and backups"),
    Role.AUDITOR: gettext_noop("sees everything and changes nothing"),
}


def role_word(role: str) -> str:
    """Return what a role is called in the reader's language."""
    return gettext(role)


def meaning(role: str) -> str:
    """Return what a role may do, in the reader's language."""
    return gettext(MEANING[role])


def may(role: str, right: Right) -> bool:
    """Return whether a role has a right."""
    return right in OF_ROLE.get(role, frozenset())


def manages(role: str, other: str) -> bool:
    """Return whether somebody in `role` decides about a seat in the role `other`."""
    return other in MANAGES.get(role, frozenset())
