"""What each group of staff may see and do: one table, which holds from the moment it is changed.

The rights are Django's permissions, `app.codename`. They stand here and not in rows, so that no
database keeps what a release took away, and nothing has to be run for what it adds. Whoever needs
more than their groups give gets single permissions, or is a superuser.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum


class StaffGroup(StrEnum):
    """The groups; each is a row of Django's groups of the same name."""

    SUPPORT = "support"
    BILLING = "billing"
    OPERATIONS = "operations"


def _view(app: str, *models: str) -> Iterator[str]:
    return (f"{app}.view_{model}" for model in models)


_ACCOUNTS = frozenset(
    {
        *_view("accounts", "account", "user", "membership", "auditevent", "staffnote"),
        *_view("billing", "plan", "subscription", "grant"),
        "accounts.add_staffnote",
        "billing.add_grant",
    }
)
_MAIL_LOG = frozenset(_view("accounts", "notice", "delivery", "bouncingaddress", "endpoint"))
_BACKUPS = frozenset(_view("storage", "vault", "vaultevent", "credential", "lock"))

OF_GROUP: Mapping[str, frozenset[str]] = {
    StaffGroup.SUPPORT: _ACCOUNTS
    | _MAIL_LOG
    | _BACKUPS
    | {
        *_view("accounts", "device"),
        *_view("account", "emailaddress"),
        *_view("mfa", "authenticator"),
        *_view("usersessions", "usersession"),
        "accounts.change_account",
        "accounts.suspend_account",
        "accounts.close_account",
        "storage.change_credential",
    },
    StaffGroup.BILLING: _ACCOUNTS
    | {
        *_view("billing", "stripeevent"),
        "billing.change_plan",
        "billing.change_stripeevent",
        "billing.change_subscription",
    },
    StaffGroup.OPERATIONS: _BACKUPS
    | {
        *_view("storage", "region", "replica", "storedobject", "attempt", "journalentry"),
        *_view("storage", "alarm", "canaryrun", "channel", "heartbeat", "lossnotice"),
        "storage.change_region",
        "storage.change_replica",
    },
}
MEANING: Mapping[str, str] = {
    StaffGroup.SUPPORT: "sees accounts, vaults, what happened and the mail log; gives more room "
    "or time, freezes, closes and reopens accounts, revokes credentials, writes notes",
    StaffGroup.BILLING: "sees accounts and payments; changes plans, puts accounts on them, gives "
    "more room or time, has messages of Stripe's worked off again",
    StaffGroup.OPERATIONS: "sees regions, replicas, alarms and canaries; changes regions, has "
    "copies tried again",
}
