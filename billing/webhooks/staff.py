"""Has events worked off again because staff said so."""

from collections.abc import Sequence

from django.db import transaction

from accounts import audit
from accounts.audit import Actor
from billing.webhooks.work import replay


@transaction.atomic
def replay_by(event_ids: Sequence[str], *, actor: Actor) -> int:
    """Have named events worked off again; return how many there are."""
    count = replay(event_ids)
    if count:
        audit.record(actor, "payment.replay", f"{count} events", events=list(event_ids)[:50])
    return count
