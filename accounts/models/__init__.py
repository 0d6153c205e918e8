"""Tables of people, their accounts and devices, and the audit log.

Every app imports them from here.
"""

from accounts.models.accounts import Account, Membership
from accounts.models.audit import AuditEvent
from accounts.models.devices import Device
from accounts.models.people import User, UserManager

__all__ = ["Account", "AuditEvent", "Device", "Membership", "User", "UserManager"]
