"""What is known of a request besides its address, for the line that the log has about it.

Account, vault, cause of a refusal: identifiers and sentences of ours, never what a client sent.
"""

from typing import Any

from django.http import HttpRequest

_KEY = "nightsafe.facts"


def note(request: HttpRequest, **facts: Any) -> None:
    """Note facts about a request; a later one of the same name replaces the earlier."""
    request.META.setdefault(_KEY, {}).update(facts)


def noted(request: HttpRequest) -> dict[str, Any]:
    """Return what was noted about a request."""
    found: dict[str, Any] = request.META.get(_KEY, {})
    return found
