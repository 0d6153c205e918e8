"""What every page may say about the service."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, Any]:
    """Return the site's address, and whether mails are read on a page here."""
    return {
        "embedded": settings.EMBEDDED,
        "version": settings.VERSION,
        "site_url": settings.SITE_URL,
    }
