"""Where the bytes live: vaults, their objects, and the copies of those in regions."""

from storage.models.copies import Attempt, Replica
from storage.models.objects import JournalEntry, Lifetime, StoredObject
from storage.models.vaults import (
    Credential,
    Heartbeat,
    Lock,
    Refill,
    Region,
    Reservation,
    Usage,
    Vault,
)

__all__ = [
    "Attempt",
    "Credential",
    "Heartbeat",
    "JournalEntry",
    "Lifetime",
    "Lock",
    "Refill",
    "Region",
    "Replica",
    "Reservation",
    "StoredObject",
    "Usage",
    "Vault",
]
