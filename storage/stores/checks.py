"""Django system checks of the configured regions."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from storage.stores.configuration import ConfigurationError, options_of, parse
from storage.stores.rate_limits import parse_rate, parse_slots


@register()
def regions(app_configs: Sequence[Any] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Report what cannot be in NIGHTSAFE_REGIONS and what belongs to it."""
    return [*_single(), *_strays(), *_limits()]


def _single() -> Iterator[CheckMessage]:
    options = options_of(settings.REGIONS, settings.REGION_OPTIONS)
    locations: dict[str, str] = {}
    if not settings.REGIONS:
        yield Error("NIGHTSAFE_REGIONS names no region.", id="storage.E001")
    for alias, location in settings.REGIONS.items():
        try:
            location = parse(alias, location, options[alias]).location
        except ConfigurationError as error:
            yield Error(str(error), id="storage.E002")
            continue
        other = locations.setdefault(location, alias)
        if other != alias:
            yield Error(
                f"Regions {other} and {alias} are one and the same place: replicas in it would die "
                "together.",
                id="storage.E003",
            )


def _strays() -> Iterator[CheckMessage]:
    for name in sorted(options_of(settings.REGIONS, settings.REGION_OPTIONS)[""]):
        yield Warning(
            f"NIGHTSAFE_REGION_{name} belongs to no region of NIGHTSAFE_REGIONS.",
            id="storage.W001",
        )
    for alias in sorted(set(settings.REGION_PLACES) - set(settings.REGIONS)):
        yield Warning(
            f"NIGHTSAFE_REGION_PLACES names {alias}, which is not in NIGHTSAFE_REGIONS.",
            id="storage.W002",
        )


def _limits() -> Iterator[CheckMessage]:
    kinds = {
        "COPIES_AT_ONCE": parse_slots,
        "COPY_RATES": parse_rate,
        "SCRUB_RATES": parse_rate,
    }
    for name, parse_limit in kinds.items():
        for alias, text in sorted(getattr(settings, name).items()):
            try:
                parse_limit(text)
            except ValueError as error:
                yield Error(f"NIGHTSAFE_{name}, region {alias}: {error}", id="storage.E004")
            if alias not in settings.REGIONS:
                yield Warning(
                    f"NIGHTSAFE_{name} names {alias}, which is not in NIGHTSAFE_REGIONS.",
                    id="storage.W003",
                )
