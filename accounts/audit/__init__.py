"""The audit log: who did what, when and from where.

`record` is called inside the transaction that does the thing; `sealing` gives each row its place in
the account's chain of hashes right after the commit, and `verification` walks the chain.
"""

from accounts.audit.actors import OPERATOR, SERVICE, Actor
from accounts.audit.log import record

__all__ = ["OPERATOR", "SERVICE", "Actor", "record"]
