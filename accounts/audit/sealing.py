"""Seals rows: gives each its number and digest in its account's chain.

A transaction of its own, after the one that wrote the rows: it locks the head of one chain and
nothing else, so that nobody who changes something waits for it, and no two wait for each other.
Rows are numbered in the order in which they are sealed, which may differ by moments from the order
in which they were written.
"""

from datetime import timedelta

from django.db import transaction

from accounts.audit import chain
from accounts.models import Account, AuditChain, AuditEvent
from backup_service import clock

AT_ONCE = 500  # rows in one transaction
CHAINS_AT_ONCE = 1000
SEALED = ["number", "digest", "who_salt", "who_digest", "what_salt", "what_digest"]
SETTLED = timedelta(seconds=10)  # before that, whoever wrote a row is about to seal it


def seal(account_id: int | None) -> int:
    """Seal what an account's chain lacks, or the service's own chain for None; return how many."""
    name = chain_name(account_id)
    count = 0
    while AuditEvent.objects.unsealed(account_id).exists():
        sealed = _seal_some(name, account_id)
        count += sealed
        if not sealed:
            break  # somebody else was quicker
    return count


def seal_left_over() -> int:
    """Seal what the processes that wrote it did not get to; return how many rows."""
    waiting = AuditEvent.objects.filter(number=None, at__lt=clock.now() - SETTLED)
    # Rows in turn, not chains in turn: one chain with much to seal must not hide the others.
    accounts = waiting.order_by("account").values_list("account", flat=True).distinct()
    return sum(seal(account_id) for account_id in list(accounts[:CHAINS_AT_ONCE]))


def chain_name(account_id: int | None) -> str:
    """Return the name of an account's chain."""
    if account_id is None:
        return chain.OF_THE_SERVICE
    return Account.objects.values_list("public_id", flat=True).get(pk=account_id)


@transaction.atomic
def _seal_some(name: str, account_id: int | None) -> int:
    AuditChain.objects.bulk_create([AuditChain(name=name)], ignore_conflicts=True)
    head = AuditChain.objects.select_for_update(no_key=True).get(name=name)
    events = list(AuditEvent.objects.unsealed(account_id).order_by("pk")[:AT_ONCE])
    for event in events:
        head.number += 1
        chain.commit(event)
        head.digest = chain.digest(head.digest, event, chain=name, number=head.number)
        event.number, event.digest = head.number, head.digest
    AuditEvent.objects.bulk_update(events, SEALED)
    head.save(update_fields=["number", "digest"])
    return len(events)
