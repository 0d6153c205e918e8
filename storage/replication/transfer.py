"""Copies bytes from region to region and verifies them: store I/O and nothing else.

This is what threads do. They never query the database, so a slow store holds no connection and
no transaction; what happened comes back as an `Outcome` for whoever holds the lease.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from storage.body import HashedBody
from storage.errors import BadRequestError
from storage.models import Replica
from storage.object_names import StoreKey
from storage.objects.verify import StoredBytes, verify_all
from storage.stores.base import (
    Reader,
    RegionError,
    RegionFullError,
    RegionStore,
    RegionUnavailableError,
)
from storage.stores.rate_limits import RateLimit, RateLimited


class NoGoodReplicaError(Exception):
    """Raised where there is no good replica to copy from at this moment."""


@dataclass(frozen=True)
class Location:
    """Where a replica's bytes lie, or are to lie."""

    replica: Replica
    store: RegionStore
    key: StoreKey
    rate_limit: RateLimit


@dataclass(frozen=True)
class Transfer:
    """An object to be copied to `target` from the first of `sources` that is good.

    `is_incomplete` if there are replicas in regions that cannot even be asked.
    """

    size: int
    sha256: str
    sources: Sequence[Location]
    target: Location
    is_incomplete: bool = False


@dataclass
class Outcome:
    """The outcome of a job. `bad` are replicas that were found missing or damaged, and why.

    `silent` are regions that were to be copied from and did not give a replica for now.
    `is_regions_fault` means that a whole region was away or full, so that the object is not to
    blame; `is_targets_fault` that it was the region to copy into.
    """

    error: Exception | None = None
    bad: list[tuple[Replica, Exception]] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    is_regions_fault: bool = False
    is_targets_fault: bool = False


class _SourceError(Exception):
    """An error of the source, to tell it from one of the target."""

    def __init__(self, reason: RegionError) -> None:
        super().__init__(str(reason))
        self.reason = reason


class _FromRegion:
    """A reader that raises its errors as the source's."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def read(self, size: int, /) -> bytes:
        try:
            return self._reader.read(size)
        except RegionError as error:
            raise _SourceError(error) from error


def check(location: Location, *, size: int, sha256: str) -> Outcome:
    """Verify what lies at one location."""
    return check_all(
        [StoredBytes(location.store, location.key, size, sha256, location.rate_limit)]
    )[0]


def check_all(stored: Sequence[StoredBytes]) -> list[Outcome]:
    """Verify what lies under a few keys, side by side."""
    return [_ended(error) for error in verify_all(stored)]


def copy(transfer: Transfer) -> Outcome:
    """Copy an object to its target and verify it there."""
    outcome = Outcome(NoGoodReplicaError("no good replica can be read at this moment"))
    outcome.is_regions_fault = transfer.is_incomplete
    for source in transfer.sources:
        try:
            _send(source, transfer)
        except _SourceError as error:
            if isinstance(error.reason, RegionUnavailableError):
                outcome.is_regions_fault = True
                outcome.silent.append(source.store.alias)
            else:
                outcome.bad.append((source.replica, error.reason))
            continue
        except BadRequestError as error:
            outcome.bad.append((source.replica, error))
            continue
        except Exception as error:
            return _target_failed(outcome, error)
        return _read_back(transfer, outcome)
    return outcome


def _send(source: Location, transfer: Transfer) -> None:
    try:
        reader = source.store.open(source.key)
    except RegionError as error:
        raise _SourceError(error) from error
    with reader:
        limited = RateLimited(_FromRegion(reader), source.rate_limit, transfer.target.rate_limit)
        body = HashedBody(limited, size=transfer.size, sha256=transfer.sha256)
        transfer.target.store.put(transfer.target.key, body, transfer.size)
        body.read_to_end()


def _read_back(transfer: Transfer, outcome: Outcome) -> Outcome:
    proof = check(transfer.target, size=transfer.size, sha256=transfer.sha256)
    if proof.error is not None:
        return _target_failed(outcome, proof.error)
    outcome.error, outcome.is_regions_fault = None, False
    return outcome


def outcome_of(action: Callable[[], None]) -> Outcome:
    """Run an action on a region, and return its outcome."""
    try:
        action()
    except Exception as error:
        return _ended(error)
    return _ended(None)


def _ended(error: Exception | None) -> Outcome:
    return Outcome() if error is None else _target_failed(Outcome(), error)


def _target_failed(outcome: Outcome, error: Exception) -> Outcome:
    outcome.error = error
    whole = isinstance(error, RegionUnavailableError | RegionFullError)
    outcome.is_regions_fault = outcome.is_targets_fault = whole
    return outcome
