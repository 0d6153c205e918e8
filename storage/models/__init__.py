"""Where the bytes live: vaults, their objects, and the copies of those in regions."""

from storage.models.catalogue import Catalogue, ClockJump, Runner, Survey
from storage.models.copies import Attempt, Replica, SweptAttempt
from storage.models.objects import JournalEntry, Lifetime, StoredObject
from storage.models.vaults import (
    Credential,
    EndedLock,
    Heartbeat,
    Lock,
    Refill,
    Region,
    Reservation,
    Usage,
    Vault,
)
from storage.models.watch import Alarm, CanaryRun, Channel, LossNotice

__all__ = [
    "Alarm",
    "Attempt",
    "CanaryRun",
    "Catalogue",
    "Channel",
    "ClockJump",
    "Credential",
    "EndedLock",
    "Heartbeat",
    "JournalEntry",
    "Lifetime",
    "Lock",
    "LossNotice",
    "Refill",
    "Region",
    "Replica",
    "Reservation",
    "Runner",
    "StoredObject",
    "Survey",
    "SweptAttempt",
    "Usage",
    "Vault",
]
