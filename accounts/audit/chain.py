"""The chain of hashes, pure: what is hashed of a row, and in which form.

A sealed row has a number (from 1, without gaps, in each chain) and a digest: the SHA-256, in
lower-case hexadecimal, of the digest before it (64 zeros before the first), a line feed, and the
row's own fields as JSON with sorted keys, no spaces, and ASCII only. An account's rows are one
chain, named like the account; what concerns no account is the chain "service".

Who did it, and what it was about, are not among these fields but stand there as two hashes, each
the SHA-256 of a salt (128 random bits, hexadecimal), a line feed, and those fields as JSON in the
same form. When a person or an account is erased, the fields and their salt go and the hash stays:
so the chain still holds, and nobody can try out which name was there.
"""

import hashlib
import json
import secrets
from datetime import UTC
from typing import Any

from accounts.models import AuditEvent

START = "0" * 64
OF_THE_SERVICE = "service"
SALT_BYTES = 16


def commit(event: AuditEvent) -> None:
    """Give a row that is about to be sealed its salts, and the hashes of who and what."""
    event.who_salt, event.what_salt = secrets.token_hex(SALT_BYTES), secrets.token_hex(SALT_BYTES)
    event.who_digest, event.what_digest = who(event), what(event)


def who(event: AuditEvent) -> str:
    """Return the hash of who did it."""
    fields = {
        "actor": event.actor_id,
        "actor_label": event.actor_label,
        "address": event.address,
        "credential": event.credential,
    }
    return _sha256(event.who_salt, fields)


def what(event: AuditEvent) -> str:
    """Return the hash of what it was about."""
    return _sha256(event.what_salt, {"detail": event.detail, "subject": event.subject})


def is_whole(event: AuditEvent) -> bool:
    """Return whether who and what are as they were sealed, or erased altogether."""
    left = (event.actor_id, event.actor_label, event.address, event.credential)
    who_holds = who(event) == event.who_digest if event.who_salt else not any(left)
    about = (event.subject, event.detail)
    what_holds = what(event) == event.what_digest if event.what_salt else not any(about)
    return who_holds and what_holds


def canonical(event: AuditEvent, *, chain: str, number: int) -> bytes:
    """Return a row's fields in the form that is hashed."""
    return _json(
        {
            "actor_kind": event.actor_kind,
            "at": event.at.astimezone(UTC).isoformat(timespec="microseconds"),
            "chain": chain,
            "number": number,
            "verb": event.verb,
            "what": event.what_digest,
            "who": event.who_digest,
        }
    )


def digest(before: str, event: AuditEvent, *, chain: str, number: int) -> str:
    """Return a row's digest, which follows on `before`."""
    row = canonical(event, chain=chain, number=number)
    return hashlib.sha256(before.encode("ascii") + b"\n" + row).hexdigest()


def _sha256(salt: str, fields: dict[str, Any]) -> str:
    return hashlib.sha256(salt.encode("ascii") + b"\n" + _json(fields)).hexdigest()


def _json(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode("ascii")
