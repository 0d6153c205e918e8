"""Lets the service's own canary choose the region that a request is about."""

from django.http import HttpRequest

from storage.errors import BusyError, ForbiddenError, UnknownError
from storage.models import Region
from storage.stores.base import RegionError
from storage.stores.registry import store_of
from storage.vaults.access import Access
from storage.vaults.canary_vault import REGION_HEADER, is_canary


def region_of(request: HttpRequest, access: Access) -> Region | None:
    """Return the region that a request of the canary names; None if a request names none.

    Raises ForbiddenError for everybody else, UnknownError, or BusyError if the region is away.
    """
    alias = request.headers.get(REGION_HEADER)
    if not alias:
        return None
    if not is_canary(access.vault):
        raise ForbiddenError(f"{REGION_HEADER} is for the service itself; leave it out.")
    region = Region.objects.filter(alias=alias).first()
    if region is None:
        raise UnknownError(f"There is no region {alias}.")
    try:
        store_of(region).check()
    except RegionError as error:
        raise BusyError(str(error)) from error
    return region
