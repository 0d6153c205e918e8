"""The gateway's web process: customers' bytes, apart from the site so that neither starves."""

import os
import socket
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application
from gunicorn.http.unreader import SocketUnreader

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backup_service.settings")
os.environ.setdefault("NIGHTSAFE_ROLE", "gateway")

# Bodies are handed on in pieces of this size. What gunicorn reads ahead beyond a piece it copies
# again for each one that follows; with its own bound, a mebibyte, that cost more than the hashing.
SocketUnreader.max_body_chunk = 128 * 1024

_django = get_wsgi_application()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer a request, and hang up after a refusal whose body was too long to read."""
    response = _django(environ, start_response)
    client: socket.socket | None = environ.get("gunicorn.socket")
    if environ.get("nightsafe.hang_up") and client is not None:
        client.shutdown(socket.SHUT_RD)
    return response
