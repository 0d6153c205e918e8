"""Which request this thread is answering, and where it goes. Formatters need it before any app."""

from contextvars import ContextVar
from typing import Any

current: ContextVar[str] = ContextVar("request", default="")
"""The request that is being answered in this thread, or ""."""
answering: ContextVar[Any] = ContextVar("answering", default=None)
"""The same, as Django's object, or None."""


def route_of(request: Any) -> str:
    """Return the pattern of a request's address, which holds nothing of what was asked for."""
    match = getattr(request, "resolver_match", None)
    return str(match.route) if match is not None else "(none)"
