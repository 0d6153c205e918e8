"""One worker process of the measurement: says that it is ready, waits, works, says how long."""

import os
import sys
import time


def main() -> int:
    """`replicate` or `scrub`, whichever the argument says."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backup_service.settings")
    django.setup()
    from backup_service.gc_tuning import keep_what_is_loaded
    from storage.integrity import scrub
    from storage.models import Region
    from storage.replication import replicator
    from storage.stores.registry import store_of

    # As in a worker process of the service, which made its clients long ago.
    for region in Region.objects.all():
        store_of(region).check()
    keep_what_is_loaded()
    others = Region.objects.exclude(alias="b")
    if sys.argv[1] == "scrub":  # of one region, as the plain reads beside it
        others.update(status=Region.Status.OFFLINE)
    print("ready", flush=True)
    sys.stdin.readline()
    begun = time.monotonic()
    if sys.argv[1] == "replicate":
        replicator.replicate_due()
    else:
        scrub.scrub_all()
    print(time.monotonic() - begun)
    others.update(status=Region.Status.ACTIVE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
