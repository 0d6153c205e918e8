"""Tells whether regions share a disk, as those of a trial do.

What fails together is for the operator to say (`traits.py`), and placement goes by that alone. This
is for pages, so that they claim no more than is so.
"""

from collections.abc import Collection, Iterator
from pathlib import Path

from django.conf import settings

from storage.stores.registry import configured

_STORES = -1  # of the embedded service's own, which stand in one directory


def share_a_disk() -> bool:
    """Return whether two regions of an embedded service lie on one disk, as far as can be seen.

    Elsewhere no page should wait for a disk, and who runs the service was asked.
    """
    return settings.EMBEDDED and are_shared(configured().values())


def are_shared(locations: Collection[str]) -> bool:
    """Return whether two of these regions lie on one disk of this computer."""
    disks = list(_disks(locations))
    return len(set(disks)) < len(disks)


def _disks(locations: Collection[str]) -> Iterator[int]:
    for location in locations:
        if location.startswith("s3+http://"):  # plain HTTP is for this computer only
            yield _STORES
        elif location.startswith("/"):
            try:
                yield Path(location).stat().st_dev
            except OSError:  # away: nothing is known of it
                continue
