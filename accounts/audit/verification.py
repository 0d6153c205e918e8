"""Walks the chains of the audit log and names the first link that does not hold."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from accounts.audit import chain
from accounts.audit.sealing import chain_name
from accounts.models import Account, AuditChain, AuditEvent

A_READ = 1000  # rows


@dataclass(frozen=True)
class Verified:
    """What was found of one chain: how many links hold, and the first that does not, if any.

    `head` is the digest of the last link that holds; whoever notes it elsewhere can tell later
    whether anything up to there was rewritten. `unsealed` rows are not in the chain yet. `erased`
    links have lost who did it or what it was about, with the person or account that they were of.
    """

    chain: str
    links: int
    head: str
    unsealed: int
    erased: int = 0
    broken_at: int | None = None  # number
    reason: str = ""


def verify(account_id: int | None) -> Verified:
    """Verify the chain of an account, or the service's own for None."""
    name = chain_name(account_id)
    # The head first: what is sealed meanwhile comes behind it.
    head = AuditChain.objects.filter(name=name).first() or AuditChain(name=name)
    rows = AuditEvent.objects.filter(account=account_id, number__isnull=False)
    before, number, erased, reason = chain.START, 0, 0, ""
    for event in _in_order(rows.filter(number__lte=head.number)):
        reason = _fault(event, name=name, number=number + 1, before=before)
        if reason:
            break
        before, number = event.digest, number + 1
        erased += not (event.who_salt and event.what_salt)
    if not reason and number != head.number:
        reason = f"rows {number + 1} to {head.number} are missing"
    elif not reason and before != head.digest:
        reason = "the head of the chain was changed, or every row of it"
    return Verified(
        chain=name,
        links=number,
        head=before,
        unsealed=AuditEvent.objects.unsealed(account_id).count(),
        erased=erased,
        broken_at=number + 1 if reason else None,
        reason=reason,
    )


def _fault(event: AuditEvent, *, name: str, number: int, before: str) -> str:
    if event.number != number:
        return f"row {number} is missing; the next is row {event.number}"
    if event.digest != chain.digest(before, event, chain=name, number=number):
        return "the row was changed, or the one before it"
    if not chain.is_whole(event):
        return "who did it, or what it was about, was changed"
    return ""


def _in_order(rows: QuerySet[AuditEvent]) -> Iterator[AuditEvent]:
    """Read rows by number, a bounded lot at a time, so that no cursor stays open."""
    after = (0, 0)
    while True:
        number, pk = after
        rest = rows.filter(Q(number__gt=number) | Q(number=number, pk__gt=pk))
        lot = list(rest.order_by("number", "pk")[:A_READ])
        yield from lot
        if len(lot) < A_READ:
            return
        after = (lot[-1].number or 0, lot[-1].pk)


def verify_all() -> Iterator[Verified]:
    """Verify the chain of every account, and the service's own."""
    yield verify(None)
    for account_id in Account.objects.order_by("pk").values_list("pk", flat=True).iterator():
        yield verify(account_id)
