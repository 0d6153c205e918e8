"""Adds rows to the audit log."""

from functools import partial
from typing import Any

from django.db import transaction

from accounts.audit.actors import Actor
from accounts.audit.sealing import seal
from accounts.models import Account, AuditEvent


def record(
    actor: Actor, verb: str, subject: str, *, account: Account | None = None, **detail: Any
) -> AuditEvent:
    """Add one row. `detail` is stored as JSON and must never hold a secret.

    Called inside the transaction that does the thing. It takes no lock that another transaction
    waits for; the row joins the account's chain right after the commit, and at the latest with the
    next sweep.

    A run of one kind of act by a program, such as snapshots that a credential removes one by one,
    is one row, written when the run is over: rows are never changed afterwards.
    """
    event = AuditEvent.objects.create(
        account=account,
        actor=actor.user,
        actor_kind=actor.kind,
        actor_label=actor.label,
        credential=actor.credential,
        address=actor.address,
        verb=verb,
        subject=subject,
        detail=detail,
    )
    # Robust: what was done is done, and the sweep seals what could not be sealed now.
    transaction.on_commit(partial(seal, event.account_id), robust=True)
    return event
