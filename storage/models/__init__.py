"""The tables: vaults, their objects, and the replicas of those in regions."""

from storage.models.monitoring import Alarm, CanaryRun, Channel, LossNotice
from storage.models.objects import JournalEntry, Lifetime, StoredObject
from storage.models.replicas import Attempt, Replica, SweptAttempt
from storage.models.service_state import Catalogue, ClockJump, Runner, Survey
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
