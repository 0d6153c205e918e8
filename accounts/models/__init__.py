"""Tables of people, their accounts and devices, of notices to them, and the audit log.

Every app imports them from here.
"""

from accounts.models.accounts import Account, Membership
from accounts.models.audit import AuditChain, AuditEvent
from accounts.models.closing import Closing
from accounts.models.devices import Device
from accounts.models.idempotency import IdempotentRequest
from accounts.models.invitations import Invitation
from accounts.models.notices import (
    BouncingAddress,
    Delivery,
    Endpoint,
    MailPreference,
    Notice,
)
from accounts.models.people import User, UserManager
from accounts.models.staff import StaffNote
from accounts.models.tallies import Tally
from accounts.models.tokens import ApiToken

__all__ = [
    "Account",
    "ApiToken",
    "AuditChain",
    "AuditEvent",
    "BouncingAddress",
    "Closing",
    "Delivery",
    "Device",
    "Endpoint",
    "IdempotentRequest",
    "Invitation",
    "MailPreference",
    "Membership",
    "Notice",
    "StaffNote",
    "Tally",
    "User",
    "UserManager",
]
