"""A client of a store, which has nothing but the request that was signed for it."""

import urllib.error
import urllib.request

from storage.stores.base import PresignedRequest


def send(
    request: PresignedRequest, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    """Make the request; return status and body."""
    made = urllib.request.Request(
        request.url,
        data=body,
        method=request.method,
        headers={**request.headers, **(headers or {})},
    )
    try:
        with urllib.request.urlopen(made, timeout=3) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read()
    except (TimeoutError, OSError):
        return 0, b""
