"""Public identifiers: unguessable, easy to read aloud, safe in a path."""

import base64
import secrets


def new_public_id() -> str:
    """Return 20 characters of lower-case base32 (100 random bits), for use in addresses."""
    return base64.b32encode(secrets.token_bytes(13)).decode("ascii")[:20].lower()
