"""Verifies a webhook as its receiver would, from the public description of Standard Webhooks."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

TOLERANCE = 300  # seconds


def verify(body: bytes, headers: Mapping[str, str], *, key: str) -> Any:
    """Return the message. Raises ValueError where the signature is not of this key, or is old."""
    secret = base64.b64decode(key.removeprefix("whsec_"))
    stamp = headers["webhook-timestamp"]
    signed = f"{headers['webhook-id']}.{stamp}.".encode() + body
    expected = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    if f"v1,{expected}" not in headers["webhook-signature"].split():
        raise ValueError("no signature of this key")
    if abs(time.time() - int(stamp)) > TOLERANCE:
        raise ValueError("too old")
    return json.loads(body)
