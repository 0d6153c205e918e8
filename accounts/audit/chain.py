"""The chain of hashes, pure: what is hashed of a row, and in which form.

A sealed row has a number (from 1, without gaps, in each chain) and a digest: the SHA-256, in
lower-case hexadecimal, of the digest before it (64 zeros before the first), a line feed, and the
row's own fields as JSON with sorted keys, no spaces, and ASCII only. An account's rows are one
chain, named like the account; what concerns no account is the chain "service".
"""

import hashlib
import json
from datetime import UTC

from accounts.models import AuditEvent

START = "0" * 64
OF_THE_SERVICE = "service"


def canonical(event: AuditEvent, *, chain: str, number: int) -> bytes:
    """Return a row's fields in the form that is hashed."""
    fields = {
        "actor": event.actor_id,
        "actor_kind": event.actor_kind,
        "actor_label": event.actor_label,
        "address": event.address,
        "at": event.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "chain": chain,
        "credential": event.credential,
        "detail": event.detail,
        "number": number,
        "subject": event.subject,
        "verb": event.verb,
    }
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode("ascii")


def digest(before: str, event: AuditEvent, *, chain: str, number: int) -> str:
    """Return a row's digest, which follows on `before`."""
    row = canonical(event, chain=chain, number=number)
    return hashlib.sha256(before.encode("ascii") + b"\n" + row).hexdigest()
