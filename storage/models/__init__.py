"""The tables: vaults, their objects, and the replicas of those in regions."""

from storage.models.counts import ObjectCount, Recount
from storage.models.device_authorization import DeviceAuthorization
from storage.models.events import VaultEvent
from storage.models.monitoring import Alarm, CanaryRun, Channel, Heartbeat, LossNotice
from storage.models.notices import FailureNotice, LateNotice, QuotaNotice, Report
from storage.models.objects import JournalEntry, Lifetime, StoredObject
from storage.models.regions import Refill, Region
from storage.models.replicas import Attempt, Replica, SweptAttempt
from storage.models.samples import UsageSample, VaultSample
from storage.models.service_state import Catalogue, ClockJump, Runner, Survey
from storage.models.undeletes import Undelete
from storage.models.usage import Reservation, Usage
from storage.models.vaults import Credential, EndedLock, Lock, Vault

__all__ = [
    "Alarm",
    "Attempt",
    "CanaryRun",
    "Catalogue",
    "Channel",
    "ClockJump",
    "Credential",
    "DeviceAuthorization",
    "EndedLock",
    "FailureNotice",
    "Heartbeat",
    "JournalEntry",
    "LateNotice",
    "Lifetime",
    "Lock",
    "LossNotice",
    "ObjectCount",
    "QuotaNotice",
    "Recount",
    "Refill",
    "Region",
    "Replica",
    "Report",
    "Reservation",
    "Runner",
    "StoredObject",
    "Survey",
    "SweptAttempt",
    "Undelete",
    "Usage",
    "UsageSample",
    "Vault",
    "VaultEvent",
    "VaultSample",
]
