"""Verifies presigned uploads against the store, never trusting the client."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

from storage.errors import BadRequestError, RefusedError
from storage.models import Attempt
from storage.object_sizes import trouble_with
from storage.objects import placement
from storage.objects.batch import ItemResult, ItemStatus, refused
from storage.stores.base import Expected, NoSuchKeyError, RegionError, RegionUnavailableError
from storage.stores.registry import store_of

log = logging.getLogger(__name__)
ASKED_AT_ONCE = 8  # of a store, when a glance was not enough


def check(attempts: Iterable[Attempt]) -> dict[str, ItemResult]:
    """Ask the stores for length and checksum; return results for attempts that are not right."""
    attempts = list(attempts)
    unsound = {pk: refused(trouble) for pk, trouble in _unsound(attempts)}
    return unsound | _ask([one for one in attempts if one.pk not in unsound])


def _unsound(attempts: Sequence[Attempt]) -> Iterator[tuple[str, RefusedError]]:
    """Yield attempts whose size no object of their type has; older versions took them."""
    for one in attempts:
        trouble = trouble_with(one.key.object, one.size or 0)
        if trouble is not None:
            yield one.pk, trouble


def _ask(attempts: Sequence[Attempt]) -> dict[str, ItemResult]:
    unsure = _unsure(attempts)
    shares = [share for n in range(ASKED_AT_ONCE) if (share := unsure[n::ASKED_AT_ONCE])]
    if not shares:
        return {}
    with ThreadPoolExecutor(len(shares)) as pool:
        pairs = chain.from_iterable(pool.map(_confirm_all, shares))
        return {pk: result for pk, result in pairs if result is not None}


def _unsure(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Return the attempts that the store does not confirm in its quick check."""
    by_region: dict[int, list[Attempt]] = {}
    for attempt in attempts:
        by_region.setdefault(attempt.region_id, []).append(attempt)
    unsure = []
    for group in by_region.values():
        expected = [Expected(one.key, one.size or 0, one.name) for one in group]
        sure = store_of(group[0].region).surely_has(expected)
        unsure += [one for one, is_sure in zip(group, sure, strict=True) if not is_sure]
    return unsure


def _confirm_all(attempts: Sequence[Attempt]) -> list[tuple[str, ItemResult | None]]:
    return [(one.pk, _confirm(one)) for one in attempts]


def _confirm(attempt: Attempt) -> ItemResult | None:
    try:
        store = store_of(attempt.region)
        store.confirm(attempt.key, size=attempt.size or 0, sha256=attempt.name)
    except NoSuchKeyError:
        return ItemResult(ItemStatus.MISSING, message="The store has nothing of it; send it first.")
    except RegionUnavailableError as error:
        placement.avoid(attempt.region.alias)
        log.warning("a presigned upload could not be checked: %s", error)
        return ItemResult(
            ItemStatus.BUSY, message="The region cannot be asked now; commit it again."
        )
    except RegionError as error:
        log.error("a store took other bytes than were signed: %s", error)
        what = "The store has other bytes than were announced; send it through the gateway."
        return refused(BadRequestError(what))
    return None
