"""Copies bytes from region to region and verifies them: store I/O and nothing else.

This is what threads do. They never look at the database, so a slow store holds no connection and
no transaction; what happened comes back as an `Outcome` for whoever holds the lease.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from storage.body import HashedBody
from storage.errors import BadRequestError
from storage.models import Replica
from storage.objects.verify import Place, Sought, prove_all
from storage.stores.base import Reader, RegionError, RegionFullError, RegionUnavailableError
from storage.stores.rate_limits import Held


class NoGoodReplicaError(Exception):
    """There is nothing to copy from at this moment."""


@dataclass(frozen=True)
class Transfer:
    """One object to be brought to `target` from the first of `sources` that is good.

    `is_incomplete` if there are copies in regions that cannot even be asked.
    """

    size: int
    sha256: str
    sources: Sequence[Place]
    target: Place
    is_incomplete: bool = False


@dataclass
class Outcome:
    """How it went. `bad` are copies that were found to be missing or damaged, and why.

    `silent` are regions that were to be copied from and did not give a copy for now.
    `is_regions_fault` means that a whole region was away or full, so that the object is not to
    blame; `is_targets_fault` that it was the region to copy into.
    """

    error: Exception | None = None
    bad: list[tuple[Replica, Exception]] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    is_regions_fault: bool = False
    is_targets_fault: bool = False


class _SourceError(Exception):
    """What a region said while it was read from, told apart from what the target says."""

    def __init__(self, reason: RegionError) -> None:
        super().__init__(str(reason))
        self.reason = reason


class _FromRegion:
    """A reader whose errors say that they are the source's."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def read(self, size: int, /) -> bytes:
        try:
            return self._reader.read(size)
        except RegionError as error:
            raise _SourceError(error) from error


def look(place: Place, *, size: int, sha256: str) -> Outcome:
    """See whether a copy is good."""
    return look_at_all([Sought(place, size, sha256)])[0]


def look_at_all(sought: Sequence[Sought]) -> list[Outcome]:
    """See whether copies are good, of few at once."""
    return [_ended(error) for error in prove_all(sought)]


def carry(errand: Transfer) -> Outcome:
    """Bring an object over and read it back from where it is now."""
    outcome = Outcome(NoGoodReplicaError("no good copy can be read at this moment"))
    outcome.is_regions_fault = errand.is_incomplete
    for source in errand.sources:
        try:
            _transfer(source, errand)
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
        return _read_back(errand, outcome)
    return outcome


def _transfer(source: Place, errand: Transfer) -> None:
    try:
        reader = source.store.open(source.key)
    except RegionError as error:
        raise _SourceError(error) from error
    with reader:
        held = Held(_FromRegion(reader), source.throttle, errand.target.throttle)
        body = HashedBody(held, size=errand.size, sha256=errand.sha256)
        errand.target.store.put(errand.target.key, body, errand.size)
        body.drain()


def _read_back(errand: Transfer, outcome: Outcome) -> Outcome:
    proof = look(errand.target, size=errand.size, sha256=errand.sha256)
    if proof.error is not None:
        return _target_failed(outcome, proof.error)
    outcome.error, outcome.is_regions_fault = None, False
    return outcome


def outcome_of(action: Callable[[], None]) -> Outcome:
    """Do something to a region and say how it went."""
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
