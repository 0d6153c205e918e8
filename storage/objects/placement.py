"""Chooses the regions for an object's replicas.

The rules are pure functions of what is known of the regions (`Site`): no two replicas of an object
in one failure domain, the account's continent first, regions that are full or away last.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from accounts.models import Account
from storage.models import Region, Replica
from storage.stores.base import RegionStore, RegionUnavailableError
from storage.stores.cooldowns import Cooldowns
from storage.stores.registry import configured, store_of, traits_of

AVOID = 15.0  # seconds for which a region that just failed is asked last

failed = Cooldowns()


@dataclass(frozen=True)
class Candidate:
    """A region as placement sees it. `counts`: its replicas count; `takes`: it takes new ones."""

    region: int  # primary key
    priority: int
    failure_domain: str
    continent: str = ""
    takes: bool = True
    counts: bool = True
    is_full: bool = False
    is_away: bool = False

    def rank(self, continent: str) -> tuple[bool, bool, bool, int]:
        """Return its sort key: the least is asked first."""
        elsewhere = bool(continent) and self.continent != continent
        return self.is_full, self.is_away, elsewhere, self.priority


def upload_order(candidates: Iterable[Candidate], continent: str = "") -> list[Candidate]:
    """Return the candidates that take new bytes, the home first, full and failing ones last."""
    taking = (candidate for candidate in candidates if candidate.takes)
    return sorted(taking, key=lambda candidate: candidate.rank(continent))


def further(
    candidates: Collection[Candidate], *, holding: Collection[int], copies: int, continent: str = ""
) -> list[Candidate]:
    """Return where an object is still to be copied to, so that it has `copies`.

    `holding` are the regions that have it or are about to. Fewer sites come back than are lacking
    when there are no more failure domains; full ones are never chosen.
    """
    taken = {
        candidate.failure_domain
        for candidate in candidates
        if candidate.region in holding and candidate.counts
    }
    chosen = []
    for candidate in upload_order(candidates, continent):
        if len(taken) >= copies:
            break
        if candidate.is_full or candidate.region in holding or candidate.failure_domain in taken:
            continue
        taken.add(candidate.failure_domain)
        chosen.append(candidate)
    return chosen


def reachable_replicas(candidates: Iterable[Candidate]) -> int:
    """Return how many replicas an object can have: one in each failure domain."""
    return len({candidate.failure_domain for candidate in candidates if candidate.counts})


def candidate_of(region: Region) -> Candidate:
    """Return a region as a candidate, from the environment and its row."""
    traits = traits_of(region)
    known = bool(region.instance) and region.alias in configured()
    return Candidate(
        region=region.pk,
        priority=region.priority,
        failure_domain=traits.failure_domain,
        continent=traits.continent,
        takes=known and region.status == Region.Status.ACTIVE,
        counts=known and region.status in Region.COUNTED,
        is_full=region.full_since is not None,
        is_away=is_away(region),
    )


def candidates() -> list[Candidate]:
    """Return all regions as candidates, in the order of their priorities. One query."""
    return [candidate_of(region) for region in Region.objects.order_by("priority", "alias")]


def avoid(alias: str) -> None:
    """Ask this region last for a while, in this process."""
    failed.start(alias, AVOID)


def is_away(region: Region) -> bool:
    """Return whether the workers last saw it away, or it failed this process a moment ago."""
    return region.away_since is not None or is_avoided(region.alias)


def read_order(replicas: Iterable[Replica]) -> list[Replica]:
    """Return replicas in the order in which they should be tried. Needs `region` loaded."""
    return sorted(replicas, key=lambda copy: (is_away(copy.region), copy.region.priority))


def is_avoided(alias: str) -> bool:
    """Return whether the region failed a moment ago."""
    return alias in failed


def write_order(account: Account | None = None) -> list[tuple[Region, RegionStore]]:
    """Return regions with their stores, in the order in which an upload should try them."""
    regions = {region.pk: region for region in Region.objects.order_by("priority", "alias")}
    ordered = upload_order(
        map(candidate_of, regions.values()), account.continent if account else ""
    )
    order = []
    for region in (regions[candidate.region] for candidate in ordered):
        try:
            order.append((region, store_of(region)))
        except RegionUnavailableError:
            avoid(region.alias)
    return order


def companions(
    home: Region, copies: int, *, holding: Collection[int] = (), continent: str = ""
) -> list[Region]:
    """Return the further regions for an object in `home` (and `holding`), `copies` in all."""
    regions = {region.pk: region for region in Region.objects.order_by("priority", "alias")}
    chosen = further(
        [candidate_of(region) for region in regions.values()],
        holding={home.pk, *holding},
        copies=copies,
        continent=continent,
    )
    return [regions[candidate.region] for candidate in chosen]


def continents_on_offer() -> list[str]:
    """Return the continents with a region that takes new bytes, the most wanted first."""
    return list(
        dict.fromkeys(
            candidate.continent
            for candidate in candidates()
            if candidate.takes and candidate.continent
        )
    )
