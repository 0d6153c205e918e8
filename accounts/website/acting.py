"""Names whoever sent a request, for the audit log."""

from django.http import HttpRequest

from accounts.audit import Actor
from accounts.client_address import client_address
from accounts.models import User


def actor_of(request: HttpRequest) -> Actor:
    """Return the signed-in person behind a request, with the address it came from."""
    return Actor.person(user_of(request), address=client_address(request))


def user_of(request: HttpRequest) -> User:
    """Return the signed-in person behind a request. Raises TypeError without one."""
    if not isinstance(request.user, User):
        raise TypeError("only views for signed-in people act")
    return request.user
