"""Maps configured regions to their stores."""

import os
import threading
import uuid
from dataclasses import replace
from functools import lru_cache

from django.conf import settings
from django.db import transaction

from accounts import audit
from accounts.audit import Actor
from storage.models import Region
from storage.stores.base import RegionStore, RegionUnavailableError
from storage.stores.configuration import (
    ConfigurationError,
    DirectoryRegion,
    RegionConfiguration,
    S3Region,
    options_of,
    parse,
    traits_in,
)
from storage.stores.filesystem.store import FilesystemStore
from storage.stores.traits import Traits

Options = tuple[tuple[str, str], ...]

_making = threading.Lock()


def configured() -> dict[str, str]:
    """Return the aliases of the environment with their locations, most wanted first."""
    return dict(settings.REGIONS)


def traits_of(region: Region) -> Traits:
    """Return a region's traits for placement, from the environment.

    What `manage.py check` would complain about is passed over: the region is then alone.
    """
    return _traits(region.alias, _options().get(region.alias, ()))


def store_of(region: Region) -> RegionStore:
    """Return the store behind a region's row.

    Raises RegionUnavailableError if the environment no longer configures it, or if the region
    has not been prepared yet.
    """
    location = configured().get(region.alias)
    if location is None:
        raise RegionUnavailableError(
            f"Region {region.alias} is in the database but not in NIGHTSAFE_REGIONS."
        )
    if not region.instance:
        raise RegionUnavailableError(f"Region {region.alias} has not been prepared yet.")
    return make_store(region.alias, location, region.instance)


def make_store(alias: str, location: str, instance: str) -> RegionStore:
    try:
        region = _parse(alias, location, _options()[alias])
    except ConfigurationError as error:
        raise RegionUnavailableError(str(error)) from error
    if isinstance(region, DirectoryRegion):
        return FilesystemStore(alias, region.root, instance)
    if settings.S3_GENERAL_CLIENT:
        region = replace(region, general_only=True, direct=False)
    with _making:  # a client takes a while to make: one is made, and the other threads wait
        return _s3_store(region, instance, os.getpid())


def _options() -> dict[str, Options]:
    """Return each region's options, parsed again only if the environment changed."""
    regions, options = configured(), settings.REGION_OPTIONS
    return _options_of(tuple(regions.items()), tuple(options.items()))


@lru_cache(maxsize=4)
def _options_of(regions: Options, options: Options) -> dict[str, Options]:
    found = options_of(dict(regions), dict(options))
    return {alias: tuple(sorted(pairs.items())) for alias, pairs in found.items()}


@lru_cache(maxsize=256)
def _traits(alias: str, options: Options) -> Traits:
    try:
        return traits_in(alias, dict(options))
    except ConfigurationError:
        return Traits(alias)


@lru_cache(maxsize=256)
def _parse(alias: str, location: str, options: Options) -> RegionConfiguration:
    return parse(alias, location, dict(options))


@lru_cache(maxsize=64)
def _s3_store(region: S3Region, instance: str, process: int) -> RegionStore:
    """Return the store with its connections, kept for all threads of one process."""
    from storage.stores.s3.store import (
        S3Store,  # a large library; who has only directories is spared
    )

    return S3Store(region, instance)


def sync_rows() -> None:
    """Give every configured alias a row, in the order of the configuration."""
    for priority, alias in enumerate(configured()):
        Region.objects.get_or_create(
            alias=alias,
            defaults={"priority": priority, "place": settings.REGION_PLACES.get(alias, "")},
        )


def prepare_new(actor: Actor) -> list[Region]:
    """Prepare the regions that have never held anything; return them.

    Raises RegionUnavailableError if a store cannot be made ready.
    """
    prepared = []
    new = Region.objects.configured().filter(instance="")
    for region in new.exclude(status=Region.Status.REMOVED):
        begin_anew(region, actor)
        prepared.append(region)
    return prepared


def begin_anew(region: Region, actor: Actor) -> None:
    """Put an empty store behind a region: a new drive, or the first one.

    Replicas that rows say are there must have been marked as missing by the caller.
    """
    instance = uuid.uuid4().hex
    make_store(region.alias, configured()[region.alias], "").prepare(instance)
    with transaction.atomic():
        Region.objects.filter(pk=region.pk).update(instance=instance, journal_cursor=0)
        audit.record(actor, "region.prepare", region.alias)
    region.instance = instance
