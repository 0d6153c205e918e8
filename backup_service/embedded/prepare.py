"""Brings the database and the regions up to date, in a process of its own, as it loads Django."""

import contextlib
import os
import sys
from urllib.parse import urlsplit

import django
from django.core.management import call_command
from django.core.management.base import CommandError, SystemCheckError

from backup_service.embedded.ports import HOST


def main() -> None:
    """Check the settings, migrate, make the cache's table, prepare regions and static files."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backup_service.settings")
    django.setup()
    try:
        call_command("check")
    except SystemCheckError as error:
        sys.exit(str(error))
    call_command("migrate", interactive=False, verbosity=1)
    call_command("createcachetable", verbosity=0)
    call_command("region", "prepare")
    with contextlib.suppress(OSError):  # a full disk: pages then use the files where they lie
        call_command("collectstatic", interactive=False, clear=True, verbosity=0)
    _offer_plans()
    _forget_workers()


def _offer_plans() -> None:
    """Make the plans' prices at the stand-in for the payment service, if that is what we have."""
    from django.conf import settings

    if not settings.STRIPE_API_KEY or urlsplit(settings.STRIPE_API_BASE).hostname != HOST:
        return
    try:
        call_command("billing", "products")
    except CommandError as error:  # nobody can pay then, and everything else works
        print(f"The plans are not on offer: {error}", file=sys.stderr)


def _forget_workers() -> None:
    """Make /readyz speak of this run's workers, not of one that stopped seconds ago."""
    from storage.models import Heartbeat

    Heartbeat.objects.all().delete()


if __name__ == "__main__":
    main()
