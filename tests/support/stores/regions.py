"""Regions in buckets of a real store, as a service is told of them."""

import uuid

from django.conf import LazySettings
from pytest_django import Settings

from backup_service.embedded.stores import Store


def environment(
    store: Store, *aliases: str, direct: str = "yes", port: int = 0, public: int = 0
) -> dict[str, str]:
    """Return the variables that put one region into a new bucket each.

    The service goes through a proxy on `port`, clients through one on `public`, if there is one.
    """
    host = f"127.0.0.1:{port or store.port}"
    places = [f"{alias}=s3+http://{host}/test-{uuid.uuid4().hex}" for alias in aliases]
    variables = {"NIGHTSAFE_REGIONS": ",".join(places)}
    for alias in aliases:
        prefix = f"NIGHTSAFE_REGION_{alias.upper()}_"
        variables[prefix + "ACCESS_KEY"] = store.access_key
        variables[prefix + "SECRET_KEY"] = store.secret_key
        variables[prefix + "DIRECT"] = direct
        variables[prefix + "PUBLIC_URL"] = f"http://127.0.0.1:{public or store.port}"
        variables[prefix + "TIMEOUT"] = "2" if port else "20"
    return variables


def bucket(variables: dict[str, str], alias: str) -> str:
    """Return the bucket of one of the regions."""
    found = dict(place.split("=", 1) for place in variables["NIGHTSAFE_REGIONS"].split(","))
    return found[alias].rpartition("/")[2]


def apply(settings: Settings | LazySettings, variables: dict[str, str]) -> None:
    """Give a test's settings what an environment says."""
    places = variables["NIGHTSAFE_REGIONS"].split(",")
    settings.REGIONS = dict(place.split("=", 1) for place in places)
    settings.REGION_OPTIONS = {
        name.removeprefix("NIGHTSAFE_REGION_"): value
        for name, value in variables.items()
        if name.startswith("NIGHTSAFE_REGION_")
    }


__all__ = ["apply", "bucket", "environment"]
