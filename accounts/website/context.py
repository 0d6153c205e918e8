"""What every page may say about the service."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, Any]:
    """Return whether mails are read on a page here, for the pages' footers and hints."""
    return {"embedded": settings.EMBEDDED, "version": settings.VERSION}
