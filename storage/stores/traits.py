"""What placement knows of a region, from its configuration. Pure.

`NIGHTSAFE_REGION_<ALIAS>_CONTINENT`, `…_FAILURE_DOMAIN` and `…_CAPACITY`, for every kind of store.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from accounts.continents import Continent
from storage.stores.amounts import parse_bytes

OPTIONS = ("CONTINENT", "FAILURE_DOMAIN", "CAPACITY")
DOMAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")


class TraitError(ValueError):
    """Raised for an impossible option; the text says what is possible."""


@dataclass(frozen=True)
class Traits:
    """Where a region is, what it fails together with, and how many bytes it may hold at most."""

    failure_domain: str
    continent: str = ""
    capacity: int | None = None


def parse_traits(alias: str, options: Mapping[str, str]) -> Traits:
    """Return a region's traits; alone in its failure domain, without limit, unless told so.

    Raises TraitError, whose text begins with the option's name.
    """
    continent = options.get("CONTINENT", "")
    if continent not in ("", *Continent.values):
        raise TraitError(f"CONTINENT is one of {', '.join(Continent.values)}.")
    domain = options.get("FAILURE_DOMAIN") or alias
    if not DOMAIN.fullmatch(domain):
        raise TraitError(
            "FAILURE_DOMAIN is a name of up to 64 letters, digits, dots, hyphens and underscores."
        )
    capacity = options.get("CAPACITY", "")
    return Traits(domain, continent, _bytes(capacity) if capacity else None)


def _bytes(text: str) -> int:
    try:
        return int(parse_bytes(text))
    except ValueError:
        raise TraitError(
            "CAPACITY is a number of bytes above 0, as 500GB, 2TB or 1.5TiB."
        ) from None
